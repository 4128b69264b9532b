import { LFS_MEDIA_TYPE, type Operation } from "@holdall/lfs-protocol";
import { isRecord } from "./is-record.ts";
import { atOnce } from "./objects.ts";

// For any LFS server: what peers answer need not have the form in which Holdall's answers are checked (test/support).

/** The object that a load is about. */
export interface ObjectName {
  readonly oid: string;
  /** In bytes. */
  readonly size: number;
}

export interface Action {
  readonly href: string;
  readonly header: Readonly<Record<string, string>>;
}

/** Absent what the server does not want done. */
export type Actions = Partial<Readonly<Record<Operation | "verify", Action>>>;

export const JSON_HEADERS: Readonly<Record<string, string>> = {
  Accept: LFS_MEDIA_TYPE,
  "Content-Type": LFS_MEDIA_TYPE,
};

const BATCH_SIZE = 100;
/** As git-lfs does. */
export const TRANSFERS_AT_ONCE = 8;

/** The body of a batch request, as git-lfs writes it. */
export function batchBody(operation: Operation, objects: readonly ObjectName[]): string {
  const named = objects.map(({ oid, size }) => ({ oid, size }));
  return JSON.stringify({
    operation,
    objects: named,
    transfers: ["basic"],
    ref: { name: "refs/heads/main" },
    hash_algo: "sha256",
  });
}

/** Asks for up to 100 objects. @returns the actions by oid. @throws Error for any answer or object that is refused */
export async function batch(
  lfsUrl: string,
  operation: Operation,
  objects: readonly ObjectName[],
): Promise<ReadonlyMap<string, Actions>> {
  const response = await fetch(`${lfsUrl}/objects/batch`, {
    method: "POST",
    headers: JSON_HEADERS,
    body: batchBody(operation, objects),
  });
  const text = await response.text();
  if (response.status !== 200) throw new Error(`${lfsUrl} answered a batch with ${response.status}: ${text}`);
  const body: unknown = JSON.parse(text);
  const answers: unknown[] = isRecord(body) && Array.isArray(body["objects"]) ? body["objects"] : [];
  const actions = new Map<string, Actions>();
  for (const answer of answers) {
    if (!isRecord(answer) || typeof answer["oid"] !== "string" || isRecord(answer["error"])) {
      throw new Error(`${lfsUrl} refused an ${operation}: ${JSON.stringify(answer)}`);
    }
    actions.set(answer["oid"], readActions(answer["actions"]));
  }
  if (actions.size !== objects.length)
    throw new Error(`${lfsUrl} answered ${actions.size} of ${objects.length} objects`);
  return actions;
}

/** The action for one object. @throws Error when there is none */
export async function actionFor(lfsUrl: string, operation: Operation, object: ObjectName): Promise<Action> {
  const action = (await batch(lfsUrl, operation, [object])).get(object.oid)?.[operation];
  if (action === undefined) throw new Error(`${lfsUrl} offers no ${operation} of ${object.oid}`);
  return action;
}

/** Makes sure that the server has these. @throws Error for any that it refuses */
export async function uploadAll(
  lfsUrl: string,
  objects: readonly (ObjectName & { readonly bytes: Uint8Array })[],
): Promise<void> {
  for (let start = 0; start < objects.length; start += BATCH_SIZE) {
    const group = objects.slice(start, start + BATCH_SIZE);
    const actions = await batch(lfsUrl, "upload", group);
    await atOnce(TRANSFERS_AT_ONCE, group, async (object) => {
      const { upload, verify } = actions.get(object.oid) ?? {};
      if (upload !== undefined) await send("PUT", upload, object.bytes);
      if (verify !== undefined) {
        const named = Buffer.from(JSON.stringify({ oid: object.oid, size: object.size }));
        await send("POST", { href: verify.href, header: { ...JSON_HEADERS, ...verify.header } }, named);
      }
    });
  }
}

/** Fetches these, and throws the bytes away. @throws Error for any that does not come whole */
export async function downloadAll(lfsUrl: string, objects: readonly ObjectName[]): Promise<void> {
  for (let start = 0; start < objects.length; start += BATCH_SIZE) {
    const group = objects.slice(start, start + BATCH_SIZE);
    const actions = await batch(lfsUrl, "download", group);
    await atOnce(TRANSFERS_AT_ONCE, group, async ({ oid, size }) => {
      const download = actions.get(oid)?.download;
      if (download === undefined) throw new Error(`${lfsUrl} offers no download of ${oid}`);
      const response = await fetch(download.href, { headers: download.header });
      const { byteLength } = await response.arrayBuffer();
      if (byteLength !== size) throw new Error(`GET ${download.href} gave ${byteLength} of ${size} bytes`);
    });
  }
}

async function send(method: "PUT" | "POST", { href, header }: Action, body: Uint8Array): Promise<void> {
  const response = await fetch(href, { method, headers: header, body: new Uint8Array(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${href} was answered with ${response.status}: ${text}`);
}

function readActions(value: unknown): Actions {
  if (!isRecord(value)) return {};
  const actions: Partial<Record<keyof Actions, Action>> = {};
  for (const name of ["upload", "download", "verify"] as const) {
    const action = value[name];
    if (!isRecord(action) || typeof action["href"] !== "string") continue;
    const header = isRecord(action["header"]) ? action["header"] : {};
    actions[name] = {
      href: action["href"],
      header: Object.fromEntries(Object.entries(header).map(([key, text]) => [key, String(text)])),
    };
  }
  return actions;
}
