import { BatchResponse } from "@holdall/lfs-protocol";
import type { IncomingMessage } from "node:http";
import { type Answer, headOf, open } from "../../support/http.ts";
import type { LfsUser } from "../../support/lfs-user.ts";
import { message } from "../../support/messages.ts";
import type { SeededObject } from "../../support/seeded-objects.ts";

/** Downloads as a client does, batch first. */
export function download(
  user: LfsUser,
  repository: string,
  { oid, size }: SeededObject,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return user.download(repository, { oid, size }, headers);
}

/** Whether users get it from the server. */
export async function isThere(user: LfsUser, repository: string, { oid, size }: SeededObject): Promise<boolean> {
  const answer = await user.askBatch(repository, "download", [{ oid, size }]);
  // It is the first object that makes a repository.
  if (answer.status === 404) return false;
  return message(BatchResponse, 200, answer).objects[0]?.actions?.download !== undefined;
}

/** What came of a download. */
export interface Got {
  readonly status: number;
  readonly bytes: Buffer;
  /** Whether the connection broke before the end. */
  readonly broken: boolean;
}

/** A download, of which only the head must come. */
export async function beginDownload(
  user: LfsUser,
  repository: string,
  { oid, size }: SeededObject,
): Promise<{ readonly rest: Promise<Got> }> {
  const path = await user.target(repository, "download", { oid, size });
  return { rest: restOf(await headOf(open({ port: user.port, method: "GET", path }).end())) };
}

async function restOf(incoming: IncomingMessage): Promise<Got> {
  const chunks: Buffer[] = [];
  incoming.on("data", (chunk: Buffer) => chunks.push(chunk));
  const broken = await new Promise<boolean>((resolve) => {
    incoming.once("end", () => resolve(false)).once("error", () => resolve(true));
  });
  return { status: incoming.statusCode ?? 0, bytes: Buffer.concat(chunks), broken };
}
