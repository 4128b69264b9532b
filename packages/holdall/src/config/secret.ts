import { randomBytes } from "node:crypto";
import { link, open, readFile, unlink } from "node:fs/promises";
import { errnoOf } from "@holdall/object-store";
import { secretPath } from "../data-folder.ts";
import { ConfigError } from "./errors.ts";
import type { Config } from "./schema.ts";

/**
 * The secret that signs action tokens: the configured one, otherwise the one in the data folder, which is made when there
 * is none. Of any number of processes that start at once all get the same. The data folder must be there.
 * @throws ConfigError when the file cannot be read or made, or holds no secret
 */
export async function actionSecret(config: Config): Promise<string> {
  if (config.secret !== undefined) return config.secret;
  const path = secretPath(config.data);
  return (await readSecret(path)) ?? (await createSecret(path));
}

async function readSecret(path: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw unusable(path, `cannot be read (${codeOf(error)}): ${ALLOW_OR_REMOVE}`, error);
  }
  const secret = text.trim();
  if (secret.length < 32) throw unusable(path, `is damaged, it holds no secret: ${REMOVE}`);
  return secret;
}

/** Written aside and linked into place, so that nobody reads half a secret and the first one stays. */
async function createSecret(path: string): Promise<string> {
  try {
    await publishSecret(path);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) {
      throw unusable(path, `cannot be made (${codeOf(error)}): make room, and let this user write there`, error);
    }
  }
  const secret = await readSecret(path);
  if (secret === undefined) throw unusable(path, "was removed while Holdall was starting: start it again");
  return secret;
}

async function publishSecret(path: string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(`${randomBytes(32).toString("base64url")}\n`);
    await file.sync();
    await link(temporary, path);
  } finally {
    await file.close();
    await unlink(temporary);
  }
}

const REMOVE = "remove it (transfer links that were given out stop working)";
const ALLOW_OR_REMOVE = `let this user read it, or ${REMOVE}`;

function unusable(path: string, problem: string, cause?: unknown): ConfigError {
  return new ConfigError([`${path}: ${problem}`], { cause });
}

function codeOf(error: unknown): string {
  return errnoOf(error) ?? String(error);
}

function hasCode(error: unknown, code: string): boolean {
  return codeOf(error) === code;
}
