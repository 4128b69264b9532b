import assert from "node:assert/strict";
import { after, test } from "node:test";
import fc from "fast-check";
import { BatchResponse } from "@holdall/lfs-protocol";
import { headOf, open, pour, type Answer } from "../support/http.ts";
import { message, refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

const server = await WireServer.start();
after(() => server[Symbol.asyncDispose]());
const user = server.as();

const OID = "1".repeat(64);
const GOOD = { operation: "upload", objects: [{ oid: OID, size: 1 }] };

function post(body: string | Uint8Array, headers: Record<string, string> = {}): Promise<Answer> {
  return user.request("POST", "/app/objects/batch", {
    body,
    headers: { "Content-Type": "application/vnd.git-lfs+json", ...headers },
  });
}

/** Bodies that are no batch request. */
const WRONG: ReadonlyArray<readonly [what: string, body: unknown]> = [
  ["no operation", { ...GOOD, operation: undefined }],
  ["null for the operation", { ...GOOD, operation: null }],
  ["an unknown operation", { ...GOOD, operation: "verify" }],
  ["another case of the operation", { ...GOOD, operation: "Upload" }],
  ["a number for the operation", { ...GOOD, operation: 1 }],
  ["no objects", { operation: "upload" }],
  ["null for the objects", { ...GOOD, objects: null }],
  ["an object for the objects", { ...GOOD, objects: { 0: { oid: OID } } }],
  ["text for the objects", { ...GOOD, objects: OID }],
  ["null for an object", { ...GOOD, objects: [null] }],
  ["text for an object", { ...GOOD, objects: [OID] }],
  ["an object without an oid", { ...GOOD, objects: [{ size: 1 }] }],
  ["null for an oid", { ...GOOD, objects: [{ oid: null, size: 1 }] }],
  ["a number for an oid", { ...GOOD, objects: [{ oid: 1, size: 1 }] }],
  ["text for a size", { ...GOOD, objects: [{ oid: OID, size: "1" }] }],
  ["true for a size", { ...GOOD, objects: [{ oid: OID, size: true }] }],
  ["text for the transfers", { ...GOOD, transfers: "basic" }],
  ["numbers for transfers", { ...GOOD, transfers: [1] }],
  ["only unknown transfers", { ...GOOD, transfers: ["tus", "ssh"] }],
  ["text for the ref", { ...GOOD, ref: "main" }],
  ["a number for the name of the ref", { ...GOOD, ref: { name: 1 } }],
  ["an unknown hash_algo", { ...GOOD, hash_algo: "sha512" }],
  ["another case of the hash_algo", { ...GOOD, hash_algo: "SHA256" }],
  ["a number for the hash_algo", { ...GOOD, hash_algo: 256 }],
  ["a list", [GOOD]],
  ["null", null],
  ["true", true],
  ["a number", 1],
  ["text", "upload"],
  ["an empty object", {}],
];

for (const [what, body] of WRONG) {
  test(`a batch of ${what} is 422, as the API prescribes`, async () => {
    refusal(422, await post(JSON.stringify(body)));
  });
}

/** What a client that is being written hears of its mistakes. */
const SAID: ReadonlyArray<readonly [call: string, body: unknown, message: string]> = [
  ["objects/batch", { ...GOOD, operation: "verify" }, "operation must be one of download, upload"],
  ["objects/batch", { ...GOOD, operation: 1 }, "operation must be one of download, upload"],
  ["objects/batch", { objects: [] }, "operation is missing: it must be one of download, upload"],
  ["objects/batch", { ...GOOD, objects: { 0: OID } }, "objects must be a list"],
  ["objects/batch", { ...GOOD, objects: [{ oid: OID }, OID] }, "objects[1] must be an object"],
  ["objects/batch", { ...GOOD, objects: [{ size: 1 }] }, "objects[0].oid is missing: it must be text"],
  ["objects/batch", { ...GOOD, objects: [{ oid: OID, size: "1" }] }, "objects[0].size must be a number"],
  ["objects/batch", { ...GOOD, ref: "main" }, "ref must be an object"],
  ["objects/batch", { ...GOOD, ref: { name: 1 } }, "ref.name must be text"],
  ["objects/batch", { ...GOOD, transfers: "basic" }, "transfers must be a list"],
  ["objects/batch", { ...GOOD, transfers: ["basic", 1] }, "transfers[1] must be text"],
  ["objects/batch", [GOOD], "the body must be an object"],
  ["objects/verify", { oid: OID }, "size is missing: it must be a number"],
  ["locks", { path: ["a"] }, "path must be text"],
  ["locks/verify", { limit: -1 }, "limit must be a whole number from 0 on"],
  ["locks/1/unlock", { force: "true" }, "force must be true or false"],
];

test("a refusal says in one sentence where the mistake is and what is allowed there", async () => {
  for (const [call, body, said] of SAID) {
    const answer = await user.post(`app/${call}`, body);
    assert.equal(refusal(answer.status, answer).message, said);
  }
  const twice = refusal(422, await user.get("app/locks?limit=1&limit=2"));
  assert.equal(twice.message, "limit is in the query more than once");
});

/** Bodies that are no JSON. */
const BROKEN: ReadonlyArray<readonly [what: string, body: string | Uint8Array]> = [
  ["nothing", ""],
  ["white space", "  \n"],
  ["cut JSON", '{"operation":"upload","objects":['],
  ["two values", "{}{}"],
  ["single quotes", "{'operation':'upload'}"],
  ["NaN", '{"operation":"upload","objects":[{"oid":"x","size":NaN}]}'],
  ["a form", "operation=upload"],
  ["HTML", "<html>"],
  ["NUL", "\0"],
  ["bytes", Uint8Array.from({ length: 256 }, (_, byte) => byte)],
  ["ISO 8859-1", Buffer.from(JSON.stringify({ ...GOOD, ref: { name: "größe" } }), "latin1")],
  ["an oid of half a character", Buffer.from('{"operation":"upload","objects":[{"oid":"\xc3","size":1}]}', "latin1")],
  ["UTF-16", Buffer.from(JSON.stringify(GOOD), "utf16le")],
  ["gzip", Buffer.from([0x1f, 0x8b, 8, 0])],
];

for (const [what, body] of BROKEN) {
  test(`a body of ${what} where JSON is needed is 400`, async () => {
    refusal(400, await post(body));
  });
}

test("no body at all is 4xx", async () => {
  for (const headers of [{}, { "Content-Type": "application/json" }, { "Content-Length": "0" }]) {
    const answer = await user.request("POST", "/app/objects/batch", { headers });
    assert.match(String(answer.status), /^4(00|22)$/);
    refusal(answer.status, answer);
  }
});

test("a Content-Type that is none is 415, with the one to send", async () => {
  for (const type of [";;;", "json", "application/"]) {
    const { message: said } = refusal(415, await post(JSON.stringify(GOOD), { "Content-Type": type }));
    assert.match(said, /Content-Type.*application\/vnd\.git-lfs\+json/, type);
  }
});

test("nesting of any depth is answered at once", async () => {
  const depth = 1_000_000;
  const lists = "[".repeat(depth) + "]".repeat(depth);
  const objects = `${'{"a":'.repeat(300_000)}1${"}".repeat(300_000)}`;

  refusal(422, await post(lists));
  refusal(422, await post(objects));
  message(BatchResponse, 200, await post(`{"operation":"upload","objects":[],"deep":${lists}}`));
  refusal(400, await post("[".repeat(depth)));
});

test("a body of 4 MiB is read, and one byte more is 413 with what to do", async () => {
  const limit = 4 * 1024 * 1024;
  const padded = (size: number): string => JSON.stringify(GOOD).padEnd(size);

  message(BatchResponse, 200, await post(padded(limit)));

  const { message: said } = refusal(413, await post(padded(limit + 1)));
  assert.match(said, /lfs\.transfer\.batchSize/);
});

test("a body that is far too large is refused while it is sent, and its sender hears of it", async () => {
  for (const headers of [{ "Content-Length": String(1024 ** 3) }, { "Transfer-Encoding": "chunked" }]) {
    const outgoing = open({
      port: server.port,
      method: "POST",
      path: "/app/objects/batch",
      headers: { ...headers, "Content-Type": "application/json" },
    });
    outgoing.on("error", () => {});
    const answered = headOf(outgoing);
    pour(outgoing, 64);

    const incoming = await answered;

    assert.equal(incoming.statusCode, 413);
    assert.match(Buffer.concat(await incoming.toArray()).toString(), /"message"/);
    outgoing.destroy();
  }
});

// What no batch means to a client: a hang, a crash, or silence.
test("whatever JSON a client sends, it is answered 200 with one entry for each oid, or 4xx with a message", async () => {
  const present = await user.upload("app", Buffer.from("present"));
  const mostly = (good: fc.Arbitrary<unknown>, depth = 2): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 19, arbitrary: good }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: depth }) });
  const hex = fc.string({ unit: fc.constantFrom("0", "1", "7", "9", "a", "f"), minLength: 64, maxLength: 64 });
  const oid = mostly(fc.oneof(fc.string({ unit: "binary", maxLength: 70 }), hex, fc.constantFrom(OID, present)));
  const size = mostly(fc.oneof(fc.nat(), fc.integer(), fc.double(), fc.constant(null)));
  const object = mostly(fc.record({ oid, size }, { requiredKeys: ["oid"] }));
  const request = fc.record(
    {
      operation: mostly(fc.constantFrom("upload", "download")),
      objects: mostly(fc.array(object, { maxLength: 6 })),
      transfers: mostly(fc.constant(["basic"])),
      ref: mostly(fc.constant({ name: "refs/heads/main" })),
      hash_algo: mostly(fc.constant("sha256")),
    },
    { requiredKeys: ["operation", "objects"] },
  );
  let granted = 0;
  await fc.assert(
    fc.asyncProperty(mostly(request, 5), async (value) => {
      const sent: unknown = JSON.parse(JSON.stringify(value));
      const answer = await post(JSON.stringify(value));
      if (answer.status !== 200) {
        assert.match(String(answer.status), /^4\d\d$/);
        refusal(answer.status, answer);
        return;
      }
      granted += 1;
      const { objects } = message(BatchResponse, 200, answer);
      const asked = (sent as { objects: readonly { oid: string }[] }).objects;
      assert.deepEqual(objects.map((entry) => entry.oid).sort(), [...new Set(asked.map((entry) => entry.oid))].sort());
      const { operation } = sent as { operation: string };
      for (const { oid: answered, size: echoed, actions, error } of objects) {
        assert.ok(Number.isSafeInteger(echoed) && echoed >= 0, "Go clients give up at any other number");
        const due = error !== undefined || (operation === "upload" && answered === present) ? [] : [operation];
        assert.deepEqual(Object.keys(actions ?? {}), due, "the one action that is due, and none beside an error");
      }
    }),
    { seed: 42, numRuns: 400, interruptAfterTimeLimit: 20_000, markInterruptAsFailure: true },
  );
  assert.ok(granted > 100, `only ${granted} requests of 400 were fit to be granted`);
});
