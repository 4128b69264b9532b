import assert from "node:assert/strict";
import { after, test } from "node:test";
import { BatchResponse } from "@holdall/lfs-protocol";
import { sha256 } from "../support/content.ts";
import { message, refusal } from "../support/messages.ts";
import { WireServer } from "./support/wire-server.ts";

const server = await WireServer.start();
after(() => server[Symbol.asyncDispose]());
const user = server.as();

const BYTES = Buffer.from("twelve bytes");
const SIZE = BYTES.length;
const PRESENT = await user.upload("app", BYTES);
const MISSING = "1".repeat(64);
const NEITHER = { operation: "upload", transfers: ["basic"], hash_algo: "sha256" };

test("an upload of what is missing gets an upload action, complete for every client since 2.0", async () => {
  const entry = await user.ask("app", "upload", { oid: MISSING, size: 7 });

  assert.deepEqual(Object.keys(entry).sort(), ["actions", "authenticated", "oid", "size"]);
  assert.equal(entry.oid, MISSING);
  assert.equal(entry.size, 7);
  assert.equal(entry.authenticated, true, "clients must not add credentials of their own");
  assert.deepEqual(Object.keys(entry.actions ?? {}), ["upload"]);
  const { href = "", header, expires_in: expiresIn } = entry.actions?.upload ?? {};
  assert.match(href, /^http:\/\/127\.0\.0\.1:\d+\/app\.git\/info\/lfs\/objects\/1{64}\?token=[\w.~-]+$/);
  assert.deepEqual(header, { "Content-Type": "application/octet-stream" }, "clients otherwise guess a type");
  assert.equal(expiresIn, 3600);
});

test("an upload of what is present has nothing to do", async () => {
  assert.deepEqual(await user.ask("app", "upload", { oid: PRESENT, size: SIZE }), { oid: PRESENT, size: SIZE });
});

test("a download of what is present gets a download action", async () => {
  const entry = await user.ask("app", "download", { oid: PRESENT, size: SIZE });

  assert.deepEqual(Object.keys(entry.actions ?? {}), ["download"]);
  assert.equal(entry.authenticated, true);
  assert.equal(entry.size, SIZE);
});

test("a download of what is missing is an error of that object, and of no other", async () => {
  const [missing, present] = await user.batch("app", "download", [
    { oid: MISSING, size: 1 },
    { oid: PRESENT, size: SIZE },
  ]);

  assert.equal(missing?.error?.code, 404);
  assert.equal(missing?.actions, undefined);
  assert.ok(present?.actions?.download !== undefined);
});

test("every answer names the transfer and the hash", async () => {
  const response = message(BatchResponse, 200, await user.askBatch("app", "upload", []));

  assert.deepEqual(response, { transfer: "basic", objects: [], hash_algo: "sha256" });
});

test("a batch stores nothing and reserves nothing", async () => {
  const before = await server.stored();

  await user.batch("only/announced", "upload", [{ oid: MISSING, size: 1 }]);

  assert.deepEqual(await server.stored(), before);
  refusal(404, await user.get("only/announced/locks"));
});

/** Members that clients leave out, send empty or send beside those of the specification; none of it changes anything. */
const TOLERATED: ReadonlyArray<readonly [what: string, members: object]> = [
  ["no transfers", { transfers: undefined }],
  ["null for transfers", { transfers: null }],
  ["empty transfers", { transfers: [] }],
  ["transfers in any order", { transfers: ["ssh", "lfs-standalone-file", "tus", "basic", "a-custom-one"] }],
  ["the same transfer twice", { transfers: ["basic", "basic"] }],
  ["no ref", {}],
  ["null for ref", { ref: null }],
  ["an empty ref", { ref: {} }],
  ["a ref with null for its name", { ref: { name: null } }],
  ["a ref that nobody has pushed yet", { ref: { name: "refs/heads/new" } }],
  ["no hash_algo", { hash_algo: undefined }],
  ["null for hash_algo", { hash_algo: null }],
  ["an empty hash_algo", { hash_algo: "" }],
  ["members that nobody has specified", { objects_count: 1, "": {}, __proto__x: 1, constructor: { prototype: 1 } }],
];

for (const [what, members] of TOLERATED) {
  test(`a batch with ${what} is granted`, async () => {
    const objects = [{ oid: MISSING, size: 3, path: "a member of somebody's own" }];

    const response = message(
      BatchResponse,
      200,
      await user.post("app/objects/batch", { ...NEITHER, ...members, objects }),
    );

    assert.equal(response.transfer, "basic");
    assert.ok(response.objects[0]?.actions?.upload !== undefined);
  });
}

test("a member called __proto__ is a member like any other", async () => {
  const body = `{"operation":"upload","objects":[{"oid":"${MISSING}","size":1,"__proto__":{"size":"x"}}],"__proto__":{"objects":1}}`;

  const answer = await user.request("POST", "/app/objects/batch", { body, headers: JSON_TYPE });

  assert.equal(message(BatchResponse, 200, answer).objects.length, 1);
});

const TYPES = [
  "application/vnd.git-lfs+json",
  "application/vnd.git-lfs+json; charset=utf-8",
  "application/json",
  "application/json;charset=UTF-8",
  "text/plain",
  "application/x-www-form-urlencoded",
  "APPLICATION/JSON",
  "multipart/form-data; boundary=x",
];

for (const type of TYPES) {
  test(`a body of JSON is read whatever the client calls it: ${type}`, async () => {
    for (const accept of [type, "*/*", "text/html", undefined]) {
      const answer = await user.request("POST", "/app/objects/batch", {
        body: JSON.stringify({ ...NEITHER, objects: [] }),
        headers: { "Content-Type": type, ...(accept === undefined ? {} : { Accept: accept }) },
      });
      message(BatchResponse, 200, answer);
    }
  });
}

test("a body without any type is read", async () => {
  const body = JSON.stringify({ ...NEITHER, objects: [] });

  message(BatchResponse, 200, await user.request("POST", "/app/objects/batch", { body }));
});

/** A size, and what it says about a download and about an upload of a present object; 200 means that it is granted. */
const SIZES: ReadonlyArray<readonly [size: unknown, upload: number, download: number]> = [
  [undefined, 200, 200],
  [null, 200, 200],
  [0, 200, 200],
  [SIZE, 200, 200],
  [SIZE + 1, 422, 422],
  [-1, 422, 422],
  [-0, 200, 200],
  [1.5, 422, 422],
  [2 ** 53, 422, 422],
  [1e300, 422, 422],
  [Number.MIN_SAFE_INTEGER, 422, 422],
];

for (const [size, upload, download] of SIZES) {
  test(`an object with the size ${String(size)} is answered for itself, and the others beside it`, async () => {
    for (const [operation, expected] of [
      ["upload", upload],
      ["download", download],
    ] as const) {
      const objects = [
        { oid: PRESENT, size },
        { oid: "not an oid", size: 1 },
      ];
      const answer = await user.post("app/objects/batch", { ...NEITHER, operation, objects });
      const [first, second] = message(BatchResponse, 200, answer).objects;

      assert.equal(first?.oid, PRESENT);
      assert.equal(first?.error?.code ?? 200, expected, operation);
      assert.equal(first?.actions?.download !== undefined, operation === "download" && expected === 200);
      assert.equal(second?.error?.code, 422);
    }
  });
}

/** A size as a client may write it, and what it says about an upload and about a download of what is not there. */
const SIZES_OF_MISSING: ReadonlyArray<readonly [member: string, upload: number, download: number]> = [
  ["", 200, 404],
  [',"size":null', 200, 404],
  [',"size":0', 200, 404],
  [',"size":12.0', 200, 404],
  [',"size":1.2e1', 200, 404],
  [',"size":9007199254740991', 200, 404],
  [',"size":-1', 422, 422],
  [',"size":1.5', 422, 422],
  [',"size":9007199254740993', 422, 422],
  [',"size":1e300', 422, 422],
];

for (const [member, upload, download] of SIZES_OF_MISSING) {
  test(`what is not there is answered for itself with ${member.slice(1) || "no size"}`, async () => {
    for (const [operation, expected] of [
      ["upload", upload],
      ["download", download],
    ] as const) {
      const body = `{"operation":"${operation}","objects":[{"oid":"${MISSING}"${member}},{"oid":"${PRESENT}"}]}`;

      const answer = await user.request("POST", "/app/objects/batch", { body, headers: JSON_TYPE });

      const [first, second] = message(BatchResponse, 200, answer).objects;
      assert.equal(first?.error?.code ?? 200, expected, operation);
      assert.deepEqual(Object.keys(first?.actions ?? {}), expected === 200 ? [operation] : []);
      assert.deepEqual([second?.oid, second?.size, second?.error], [PRESENT, SIZE, undefined]);
    }
  });
}

test("a size that is no number, or one that JSON has no room for, is refused with its place", async () => {
  for (const size of ['"12"', "true", "[]", "{}", "1e400", "-1e400"]) {
    const body = `{"operation":"upload","objects":[{"oid":"${PRESENT}"},{"oid":"${MISSING}","size":${size}}]}`;

    const answer = await user.request("POST", "/app/objects/batch", { body, headers: JSON_TYPE });

    assert.match(refusal(422, answer).message, /objects.1.*size/, size);
  }
});

test("without a size a download is answered with the true one", async () => {
  assert.equal((await user.ask("app", "download", { oid: PRESENT })).size, SIZE);
});

test("the size comes back as it was asked, which clients compare with their own", async () => {
  for (const size of [0, 1, 2 ** 40, Number.MAX_SAFE_INTEGER]) {
    const entry = await user.ask("app", "upload", { oid: MISSING, size });
    assert.equal(entry.size, size);
    assert.ok(entry.actions?.upload !== undefined, `size ${size}`);
  }
});

test("an oid that is none is refused for itself and comes back letter by letter", async () => {
  const wrong = [
    "",
    " ",
    "x",
    MISSING.slice(1),
    `${MISSING}0`,
    "A".repeat(64),
    `${MISSING} `,
    "é",
    "\u0000",
    "\ud800",
    "🦊",
  ];

  for (const operation of ["upload", "download"] as const) {
    const entries = await user.batch(
      "app",
      operation,
      [...wrong, PRESENT].map((oid) => ({ oid, size: SIZE })),
    );

    assert.deepEqual(
      entries.map(({ oid }) => oid),
      [...wrong, PRESENT],
    );
    assert.deepEqual(
      entries.map(({ error }) => error?.code),
      [...wrong.map(() => 422), undefined],
    );
  }
});

test("an oid that is asked for twice is answered once", async () => {
  const entries = await user.batch("app", "download", [
    { oid: PRESENT, size: SIZE },
    { oid: "wrong", size: 1 },
    { oid: PRESENT, size: SIZE },
    { oid: "wrong", size: 2 },
    { oid: MISSING, size: 1 },
    { oid: PRESENT },
  ]);

  assert.deepEqual(
    entries.map(({ oid }) => oid),
    [PRESENT, "wrong", MISSING],
  );
});

test("no answer has an action that is null or an error beside an action", async () => {
  const text = (
    await user.askBatch("app", "upload", [
      { oid: MISSING, size: 1 },
      { oid: PRESENT, size: SIZE },
      { oid: "x", size: 1 },
    ])
  ).body.toString();

  assert.doesNotMatch(text, /null/);
  assert.match(text, /"error"/);
});

test("a thousand objects are one batch, and one more is 413 with what to do", async () => {
  const objects = Array.from({ length: 1001 }, (_, n) => ({ oid: sha256(Buffer.from(String(n))), size: n }));

  const entries = await user.batch("app", "upload", objects.slice(0, 1000));
  assert.equal(new Set(entries.map(({ oid }) => oid)).size, 1000);

  const { message: said } = refusal(413, await user.askBatch("app", "upload", objects));
  assert.match(said, /1001.*1000.*lfs\.transfer\.batchSize/);
});

test("asking again and again for the same is answered the same way", async () => {
  const one = await user.ask("app", "upload", { oid: MISSING, size: 1 });
  const two = await user.ask("app", "upload", { oid: MISSING, size: 1 });

  assert.deepEqual({ ...one, actions: undefined }, { ...two, actions: undefined });
});

const JSON_TYPE = { "Content-Type": "application/vnd.git-lfs+json" };
