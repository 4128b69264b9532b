import { CommandError } from "./exit-codes.ts";
import type { Io } from "./io.ts";

/** Far more than any password has; who pipes in a file by mistake learns it at once. */
const MOST_BYTES = 64 * 1024;

/**
 * Reads a password from standard input: all of it, without one line end at its end.
 * @throws CommandError for what is no UTF-8 text or far too long
 */
export async function readPassword({ stdin, stderr }: Io): Promise<string> {
  if ("isTTY" in stdin && stdin.isTTY === true)
    stderr.write("Type the password, which is shown, then Enter and Ctrl-D.\n");
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    const bytes = Buffer.from(chunk as Uint8Array);
    length += bytes.length;
    if (length > MOST_BYTES) throw new CommandError("standard input is too long for a password");
    chunks.push(bytes);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks)).replace(/\r?\n$/, "");
  } catch (cause) {
    throw new CommandError("the password on standard input is no UTF-8 text", { cause });
  }
}
