import { randomBytes } from "node:crypto";
import { link, open, readFile, unlink } from "node:fs/promises";
import { secretPath } from "../data-folder.ts";
import type { Config } from "./schema.ts";

/**
 * The secret that signs action tokens: the configured one, otherwise the one in the data folder, which is made when there
 * is none. Of any number of processes that start at once all get the same. The data folder must be there.
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
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
  const secret = text.trim();
  if (secret.length < 32) {
    throw new Error(`${path} is damaged: it holds no secret. Remove it; links that were given out stop working.`);
  }
  return secret;
}

/** Written aside and linked into place, so that nobody reads half a secret and the first one stays. */
async function createSecret(path: string): Promise<string> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(temporary, "wx", 0o600);
  try {
    await file.writeFile(`${randomBytes(32).toString("base64url")}\n`);
    await file.sync();
    await link(temporary, path);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error;
  } finally {
    await file.close();
    await unlink(temporary);
  }
  const secret = await readSecret(path);
  if (secret === undefined) throw new Error(`${path} was removed while Holdall was starting. Start it again.`);
  return secret;
}
