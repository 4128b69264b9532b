import assert from "node:assert/strict";
import { truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, test } from "node:test";
import fc from "fast-check";
import { objectPath } from "@holdall/lfs-protocol";
import { parseKey } from "@holdall/object-store";
import { seededBytes, sha256 } from "../support/content.ts";
import { send, type Answer } from "../support/http.ts";
import { refusal } from "../support/messages.ts";
import { oidNamed, repositoryNamed } from "../support/names.ts";
import { WireServer } from "./support/wire-server.ts";

const server = await WireServer.start({
  store: "fs",
  users: ["ada"],
  rules: [
    ["anyone", "public/**", "read"],
    ["users", "**", "write"],
  ],
});
after(() => server[Symbol.asyncDispose]());
const user = server.as("ada");

/** Larger than what is read in one go. */
const SIZE = 2_500_000;
const BYTES = seededBytes(1, SIZE);
const OID = await user.upload("public/app", BYTES);
const PATH = await user.target("public/app", "download", { oid: OID });

function request(headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<Answer> {
  return send({ port: server.port, method, path: PATH, headers });
}

test("a whole object comes with everything that a cache or a resuming client wants to know", async () => {
  const { status, headers, body } = await request();

  assert.equal(status, 200);
  assert.deepEqual(body, BYTES);
  assert.equal(headers["content-length"], String(SIZE));
  assert.equal(headers["content-type"], "application/octet-stream");
  assert.equal(headers.etag, `"${OID}"`);
  assert.equal(headers["accept-ranges"], "bytes");
  assert.equal(headers["cache-control"], "public, max-age=31536000, immutable");
  assert.equal(headers["x-content-type-options"], "nosniff");
  assert.equal(headers["content-encoding"], undefined);
  assert.equal(headers["transfer-encoding"], undefined);
});

test("a download has the name that the batch was asked for, made safe, and none otherwise", async () => {
  for (const [asked, expected] of [
    [{ "x-filename": "../año 1.bin" }, "attachment; filename=\"a_o 1.bin\"; filename*=UTF-8''a%C3%B1o%201.bin"],
    [{ "x-filename": "a.bin", "x-disposition": "inline" }, 'inline; filename="a.bin"'],
    [{ "x-disposition": "attachment" }, "attachment"],
    [{ "x-filename": 7, "x-disposition": null }, undefined],
  ] as const) {
    const path = await user.target("public/app", "download", { oid: OID, ...asked });
    const { status, headers } = await send({ port: server.port, method: "GET", path, headers: {} });
    assert.equal(status, 200);
    assert.equal(headers["content-disposition"], expected);
  }
  // Whoever changes the link can ask for no more than the batch could.
  const path = `${PATH}&filename=${encodeURIComponent('x"\r\nSet-Cookie: a=b')}&disposition=javascript`;
  const { headers } = await send({ port: server.port, method: "HEAD", path, headers: {} });
  assert.match(headers["content-disposition"] ?? "", /^attachment; filename="x_Set-Cookie: a=b"/);
  assert.equal(headers["set-cookie"], undefined);
});

test("shared caches may keep what anyone may read, and nothing else", async () => {
  const oid = await user.upload("private/app", BYTES);

  const { headers } = await user.download("private/app", { oid });

  assert.equal(headers["cache-control"], "private, max-age=31536000, immutable");
});

test("HEAD says what GET would, without the body", async () => {
  for (const headers of [{}, { "If-None-Match": `"${OID}"` }]) {
    const get = await request(headers);
    const head = await request(headers, "HEAD");

    const { date: _1, connection: _2, "keep-alive": _3, ...expected } = get.headers;
    const { date: _4, connection: _5, "keep-alive": _6, ...actual } = head.headers;
    assert.equal(head.status, get.status);
    assert.deepEqual(actual, expected);
    assert.equal(head.body.length, 0);
  }
});

test("a range is for GET alone", async () => {
  const { status, headers } = await request({ Range: "bytes=0-9" }, "HEAD");

  assert.deepEqual([status, headers["content-length"], headers["content-range"]], [200, String(SIZE), undefined]);
});

test("objects are never compressed on the way", async () => {
  const { headers, body } = await request({ "Accept-Encoding": "gzip, zstd, br" });

  assert.equal(headers["content-encoding"], undefined);
  assert.deepEqual(body, BYTES);
});

test("any range is the very slice of the object that it names", async () => {
  const edge = fc.oneof(
    fc.nat(SIZE + 10),
    fc.constantFrom(0, 1, SIZE - 1, SIZE, 1024 * 1024 - 1, 1024 * 1024, 1024 * 1024 + 1),
  );
  const range = fc.oneof(
    fc.tuple(edge, edge).map(([start, end]) => ({ text: `${start}-${end}`, start, end: end + 1, valid: end >= start })),
    edge.map((start) => ({ text: `${start}-`, start, end: SIZE, valid: true })),
    edge.map((length) => ({
      text: `-${length}`,
      start: length === 0 ? SIZE : Math.max(0, SIZE - length),
      end: SIZE,
      valid: true,
    })),
  );
  await fc.assert(
    fc.asyncProperty(range, async ({ text, start, end, valid }) => {
      const { status, headers, body } = await request({ Range: `bytes=${text}` });
      if (!valid) {
        assert.equal(status, 200, "what is no range is ignored");
        assert.ok(body.equals(BYTES));
      } else if (start >= SIZE) {
        refusal(416, { status, headers, body });
        assert.equal(headers["content-range"], `bytes */${SIZE}`);
      } else {
        const expected = BYTES.subarray(start, end);
        assert.equal(status, 206);
        assert.equal(headers["content-range"], `bytes ${start}-${start + expected.length - 1}/${SIZE}`);
        assert.equal(headers["content-length"], String(expected.length));
        assert.ok(body.equals(expected));
      }
    }),
    { seed: 5, numRuns: 150 },
  );
});

/** Headers that are no single range of bytes: the whole is sent, which every client understands. */
const IGNORED = [
  "bytes=0-1,5-6",
  "bytes=0-0, -1",
  "bytes=",
  "bytes=-",
  "bytes=a-b",
  "bytes=5-3",
  "items=0-1",
  "bytes 0-1",
  "0-1",
  "bytes=0x1-2",
  "bytes=1.5-2",
  "bytes=+1-2",
  "bytes=--1",
  "",
];

for (const header of IGNORED) {
  test(`a Range header that need not be understood is ignored: ${header}`, async () => {
    const { status, body, headers } = await request({ Range: header });

    assert.equal(status, 200);
    assert.equal(headers["content-range"], undefined);
    assert.ok(body.equals(BYTES));
  });
}

test("numbers beyond all measure are ranges like any other", async () => {
  const digits = "9".repeat(400);

  assert.ok((await request({ Range: `bytes=1-${digits}` })).body.equals(BYTES.subarray(1)));
  assert.ok((await request({ Range: `bytes=-${digits}` })).body.equals(BYTES));
  refusal(416, await request({ Range: `bytes=${digits}-` }));
});

test("a range of the version that the client has is sent, of any other the whole", async () => {
  const slice = BYTES.subarray(5, 10);
  const cases = [
    [`"${OID}"`, 206],
    [`W/"${OID}"`, 200],
    [`"${"0".repeat(64)}"`, 200],
    [OID, 200],
    ["Wed, 21 Oct 2026 07:28:00 GMT", 200],
    ["", 200],
  ] as const;
  for (const [version, status] of cases) {
    const answer = await request({ Range: "bytes=5-9", "If-Range": version });
    assert.equal(answer.status, status, version);
    assert.ok(answer.body.equals(status === 206 ? slice : BYTES));
  }
});

test("who has the object is told so, without a body", async () => {
  for (const known of [`"${OID}"`, `W/"${OID}"`, "*", `"x", "${OID}"`]) {
    const { status, body, headers } = await request({ "If-None-Match": known });
    assert.equal(status, 304, known);
    assert.equal(body.length, 0);
    assert.equal(headers.etag, `"${OID}"`);
    assert.match(headers["cache-control"] ?? "", /immutable/);
  }
  for (const known of ['"x"', OID, `"${OID}x"`]) {
    assert.equal((await request({ "If-None-Match": known })).status, 200, known);
  }
});

test("the empty object has no range", async () => {
  const oid = sha256(Buffer.alloc(0));
  await user.request("PUT", `/public/app/objects/${oid}`, { body: "" });

  for (const range of ["bytes=0-", "bytes=0-0", "bytes=-1", "bytes=-0"]) {
    const answer = await user.request("GET", `/public/app/objects/${oid}`, { headers: { Range: range } });
    refusal(416, answer);
    assert.equal(answer.headers["content-range"], "bytes */0");
  }
});

test("bytes past 4 GiB are found", async () => {
  const size = 6 * 1024 ** 3;
  const oid = oidNamed("4".repeat(64));
  const name = repositoryNamed("public/app");
  // A file with a hole takes no room; its name is not its hash, which no download looks at.
  const key = parseKey(objectPath("shared", name, oid));
  await server.store.put(key, (async function* () {})(), { size: 0 });
  const file = join(server.folder, "objects", key);
  await truncate(file, size - 6);
  await writeFile(file, "at end", { flag: "a" });
  const { id } = await server.metadata.repositories.ensure(name);
  await server.metadata.objects.link(id, { oid, size });

  const tail = await user.download("public/app", { oid, size }, { Range: `bytes=${size - 10}-${size - 1}` });
  assert.equal(tail.status, 206);
  assert.equal(tail.headers["content-range"], `bytes ${size - 10}-${size - 1}/${size}`);
  assert.equal(tail.body.toString(), "\0\0\0\0at end");
  assert.equal((await user.download("public/app", { oid, size }, { Range: "bytes=-3" })).body.toString(), "end");
  const middle = await user.download("public/app", { oid, size }, { Range: "bytes=4294967295-4294967297" });
  assert.equal(middle.headers["content-range"], `bytes 4294967295-4294967297/${size}`);
  refusal(416, await user.download("public/app", { oid, size }, { Range: `bytes=${size}-` }));

  const head = await user.request("HEAD", `/public/app/objects/${oid}`);
  assert.equal(head.headers["content-length"], String(size));
});
