import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { ListLocksResponse, LockResponse, VerifyLocksResponse } from "@holdall/lfs-protocol";
import { Type, type TSchema } from "typebox";
import { seededBytes, sha256 } from "../support/content.ts";
import { send, type Answer } from "../support/http.ts";
import { message, refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

// Whatever comes in, a client must be able to read the answer. What it means is tested call by call elsewhere, and the
// batch has a test of its own in batch-refusals.

const server = await WireServer.start();
const inParts = await WireServer.start({
  store: "fs",
  transferPolicy: { mode: "proxy", multipartThreshold: 100, partSize: 100 },
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await inParts[Symbol.asyncDispose]();
});
const user = server.as();

const BYTES = seededBytes(1, 1000);
const OID = await user.upload("app", BYTES);
const NEW = seededBytes(2, 1000);
const NEW_OID = sha256(NEW);
const LOCK_IDS: string[] = [];
while (LOCK_IDS.length < 40) LOCK_IDS.push((await user.lock("app", `file ${LOCK_IDS.length}`)).id);

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** Mostly what a client could send, so that each part of it is reached. */
function mostly<T>(good: fc.Arbitrary<T>): fc.Arbitrary<T | fc.JsonValue> {
  return fc.oneof({ weight: 19, arbitrary: good }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }) });
}

/** What has no meaning for a part of a URL or a header but can stand there, with escapes that are whole or broken. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 40 }).map((raw) => encodeURIComponent(raw.toWellFormed())),
  fc.string({ unit: fc.constantFrom(..."%%%02cf./?&=+-;~x".split("")), maxLength: 20 }),
);
const repository = fc.oneof(
  { weight: 19, arbitrary: fc.constantFrom("app", "app.git/info/lfs") },
  { weight: 1, arbitrary: text },
);
const hex = fc.string({ unit: fc.constantFrom("0", "7", "a", "f"), minLength: 64, maxLength: 64 });
const oid = fc.oneof(fc.constantFrom(OID, NEW_OID), hex, text);
const ref = mostly(fc.record({ name: mostly(fc.constant("refs/heads/main")) }));
const cursor = mostly(fc.oneof(fc.constantFrom(null, "", ...LOCK_IDS), fc.nat().map(String), fc.string()));

/** A call with a body of JSON. */
function post(path: fc.Arbitrary<string>, value: fc.Arbitrary<unknown>): fc.Arbitrary<Asked> {
  const json = mostly(value).map((each) => JSON.stringify(each));
  const body = fc.oneof(
    { weight: 19, arbitrary: json },
    { weight: 1, arbitrary: fc.oneof(fc.string(), fc.uint8Array({ maxLength: 100 })) },
  );
  const type = fc.oneof(
    { weight: 9, arbitrary: fc.constant("application/vnd.git-lfs+json") },
    { weight: 1, arbitrary: fc.oneof(text, fc.constant("application/json; charset=utf-8")) },
  );
  return fc.tuple(repository, path, type, body).map(([name, call, type, body]) => ({
    method: "POST",
    path: `/${name}/${call}`,
    headers: { "Content-Type": type },
    body,
  }));
}

function query(members: Readonly<Record<string, fc.Arbitrary<string>>>): fc.Arbitrary<string> {
  const one = fc.oneof(...Object.entries(members).map(([key, value]) => value.map((each) => `${key}=${each}`)));
  return fc.array(one, { maxLength: 4 }).map((parts) => parts.join("&"));
}

const DOWNLOAD = await tokenFor("download", { oid: OID });
const UPLOAD = await tokenFor("upload", { oid: NEW_OID, size: NEW.length });
const UPLOAD_IN_PARTS = await tokenFor("upload", { oid: NEW_OID, size: NEW.length }, inParts.as());
const token = fc.oneof(fc.constantFrom(DOWNLOAD, UPLOAD), text);
const headers = fc.record(
  {
    Range: fc.oneof(
      fc.tuple(fc.integer(), fc.integer()).map(([from, to]) => `bytes=${from}-${to}`),
      fc.constantFrom("bytes=0-", "bytes=999-", "bytes=1000-", "bytes=-1", "bytes=0-0,2-3", "lines=1-2"),
      text,
    ),
    "If-Range": fc.oneof(fc.constant(`"${OID}"`), text),
    "If-None-Match": fc.oneof(fc.constantFrom(`"${OID}"`, "*"), text),
    Authorization: fc.oneof(
      text,
      text.map((each) => `Basic ${each}`),
    ),
  },
  { requiredKeys: [] },
);

/** The calls, each with what is sent to it, and the form of the answer when it is granted. */
const CALLS: ReadonlyArray<readonly [call: string, asked: fc.Arbitrary<Asked>, status: number, form: TSchema]> = [
  [
    "POST locks",
    post(
      fc.constant("locks"),
      fc.record({ path: mostly(fc.string({ unit: "binary", minLength: 1, maxLength: 40 })), ref }),
    ),
    201,
    LockResponse,
  ],
  [
    "GET locks",
    fc
      .tuple(
        repository,
        query({
          path: text,
          id: text,
          cursor: fc.oneof(text, fc.nat().map(String)),
          limit: fc.oneof(fc.nat().map(String), text),
          refspec: text,
          "": text,
        }),
      )
      .map(([name, filter]) => ({ method: "GET", path: `/${name}/locks?${filter}`, headers: {}, body: "" })),
    200,
    ListLocksResponse,
  ],
  [
    "POST locks/verify",
    post(
      fc.constant("locks/verify"),
      fc.record(
        { cursor, limit: mostly(fc.oneof(fc.nat(), fc.integer(), fc.constant(null))), ref },
        { requiredKeys: [] },
      ),
    ),
    200,
    VerifyLocksResponse,
  ],
  [
    "POST unlock",
    post(
      fc.oneof(fc.constantFrom(...LOCK_IDS), fc.nat().map(String), text).map((id) => `locks/${id}/unlock`),
      fc.record({ force: mostly(fc.oneof(fc.boolean(), fc.constant(null))), ref }, { requiredKeys: [] }),
    ),
    200,
    LockResponse,
  ],
  [
    "POST objects/verify",
    post(
      fc.constant("objects/verify"),
      fc.oneof(
        fc.constant({ oid: OID, size: BYTES.length }),
        fc.record({ oid: mostly(oid), size: mostly(fc.oneof(fc.nat(), fc.integer(), fc.double())) }),
      ),
    ),
    200,
    Type.Object({}),
  ],
];

for (const [index, [call, asked, status, form]] of CALLS.entries()) {
  test(`whatever comes in by ${call}, it is granted in its form or refused with a message`, async () => {
    let granted = 0;
    await always(index, asked, async (request) => {
      const answer = await send({ port: server.port, ...request });
      if (answer.status === status) {
        message(form, status, answer);
        granted += 1;
      } else expectRefusal(request, answer);
    });
    assert.ok(granted > 30, `only ${granted} requests were fit to be granted`);
  });
}

for (const method of ["GET", "HEAD", "PUT"] as const) {
  test(`whatever comes in by ${method} of an object, its bytes move or it is refused with a message`, async () => {
    const objects = fc.oneof(
      fc.constantFrom([OID, DOWNLOAD, BYTES], [OID, null, BYTES], [NEW_OID, UPLOAD, NEW], [NEW_OID, null, NEW]),
      fc.tuple(oid, fc.option(token), fc.oneof(fc.constantFrom(BYTES, NEW), fc.uint8Array())),
    );
    const asked = fc.tuple(repository, objects, headers).map(([name, [oid, token, body], headers]) => ({
      method,
      path: `/${name}/objects/${oid}${token === null ? "" : `?token=${token}`}`,
      headers,
      body: method === "PUT" ? body : "",
    }));
    let granted = 0;
    await always(7, asked, async (request) => {
      const answer = await send({ port: server.port, ...request });
      if (answer.status < 400) {
        assert.match(String(answer.status), method === "PUT" ? /^200$/ : /^(200|206|304)$/);
        granted += 1;
      } else expectRefusal(request, answer);
    });
    assert.ok(granted > 30, `only ${granted} requests were fit to be granted`);
  });
}

for (const [call, method] of [
  ["upload", "HEAD"],
  ["upload", "PATCH"],
  ["upload", "DELETE"],
  ["upload", "OPTIONS"],
  ["upload/commit", "POST"],
  ["upload/verify", "POST"],
  ["upload/parts/1", "PUT"],
] as const) {
  test(`whatever comes in by ${method} of ${call}, an upload goes on or it is refused with a message`, async () => {
    const token = fc.oneof({ weight: 9, arbitrary: fc.constant(UPLOAD_IN_PARTS) }, { weight: 1, arbitrary: text });
    const offset = fc.oneof(fc.nat(NEW.length).map(String), text);
    const tus = fc.record(
      {
        "Tus-Resumable": fc.oneof({ weight: 9, arbitrary: fc.constant("1.0.0") }, text),
        "Upload-Offset": fc.oneof({ weight: 9, arbitrary: fc.constant("0") }, offset),
        "Content-Type": fc.oneof({ weight: 9, arbitrary: fc.constant("application/offset+octet-stream") }, text),
        "Content-MD5": fc.oneof({ weight: 1, arbitrary: text }, { weight: 9, arbitrary: fc.constant("") }),
      },
      { requiredKeys: ["Tus-Resumable", "Upload-Offset", "Content-Type"] },
    );
    const body = fc.oneof({ weight: 9, arbitrary: fc.constant<Uint8Array>(NEW) }, fc.uint8Array());
    const asked = fc
      .tuple(repository, fc.oneof({ weight: 9, arbitrary: fc.constant(NEW_OID) }, oid), token, tus, body)
      .map(([name, oid, token, headers, body]) => ({
        method,
        path: `/${name}/objects/${oid}/${call}?token=${token}`,
        headers,
        body: method === "HEAD" || method === "OPTIONS" ? "" : body,
      }));
    let granted = 0;
    await always(7, asked, async (request) => {
      const answer = await send({ port: inParts.port, ...request });
      if (answer.status < 400) granted += 1;
      else expectRefusal(request, answer);
    });
    // What came before decides which of them can be.
    if (call === "upload") assert.ok(granted > 0, "no request was fit to be granted");
  });
}

async function always(
  seed: number,
  asked: fc.Arbitrary<Asked>,
  check: (request: Asked) => Promise<void>,
): Promise<void> {
  const limits = { interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true };
  await fc.assert(fc.asyncProperty(asked, check), { seed, numRuns: 300, ...limits });
}

function expectRefusal({ method, path }: Asked, answer: Answer): void {
  assert.match(String(answer.status), /^4\d\d$/, `${method} ${path}: ${answer.body.toString()}`);
  if (method === "HEAD") assert.equal(answer.body.length, 0);
  else refusal(answer.status, answer);
  // Clients take it for success there.
  if (method === "PUT" || path.includes("objects/verify")) assert.notEqual(answer.status, 422);
}

async function tokenFor(
  operation: "upload" | "download",
  object: { oid: string; size?: number },
  by = user,
): Promise<string> {
  return (await by.target("app", operation, object)).split("token=")[1] ?? "";
}
