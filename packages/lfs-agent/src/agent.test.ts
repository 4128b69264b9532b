import assert from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import fc from "fast-check";
import { FaultyLayer, StorageError } from "@holdall/object-store";
import { seededObject } from "../../../test/support/seeded-objects.ts";
import { Session, type Line } from "../test/session.ts";
import { runAgent } from "./agent.ts";

const INIT = { event: "init", operation: "upload", remote: "origin" };

test("whatever git-lfs says, each line gets one answer, in its order, and the session goes on", async (t) => {
  const session = await Session.create(t);
  const here = await session.local(1, 2000);
  const there = seededObject(2, 3000);
  await session.keep(`lfs/${there.oid}`, there.bytes);
  const nowhere = seededObject(3, 10).oid;
  const kinds: Readonly<Record<string, readonly [Line, RegExp]>> = {
    upload: [{ event: "upload", ...here, bytes: undefined }, new RegExp(`^complete ${here.oid} $`)],
    download: [{ event: "download", oid: there.oid, size: 3000 }, new RegExp(`^complete ${there.oid} $`)],
    missing: [{ event: "download", oid: nowhere, size: 10 }, new RegExp(`^complete ${nowhere} 404$`)],
    unknown: [{ event: "verify", oid: nowhere }, new RegExp(`^complete ${nowhere} 400$`)],
    garbage: ["{", /^complete {2}400$/],
    again: [INIT, /^init $/],
  };
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...Object.keys(kinds)), { maxLength: 12 }), async (names) => {
      const asked = names.flatMap((name) => kinds[name] ?? []).filter((_, index) => index % 2 === 0) as Line[];
      const answers = await session.says("upload", ...asked);
      assert.equal(answers.length, names.length);
      for (const [index, answer] of answers.entries()) {
        const word = "event" in answer && answer.event === "complete" ? `complete ${answer.oid}` : "init";
        const code = "error" in answer && answer.error !== undefined ? answer.error.code : "";
        assert.match(`${word} ${code}`, kinds[names[index] ?? ""]?.[1] ?? /never/);
      }
    }),
    { numRuns: 30 },
  );
});

test("a process that gets no object opens no store; the end of its input ends it as `terminate` does", async () => {
  for (const input of [[INIT], [INIT, { event: "terminate" }], []]) {
    await runAgent({
      input: Readable.from(input.map((line) => `${JSON.stringify(line)}\n`)),
      output: new PassThrough().resume(),
      signal: new AbortController().signal,
      connect: () => assert.fail("opened"),
    });
  }
});

test("the store is closed at the end, also when it could not be opened", async (t) => {
  const session = await Session.create(t);
  const { oid, size, path } = await session.local(1, 10);
  let closed = 0;
  session.store.close = async () => void (closed += 1);
  await session.says("upload", { event: "upload", oid, size, path });
  assert.equal(closed, 1);
  const output = new PassThrough();
  const said = text(output);
  const asked = [INIT, { event: "upload", oid, size, path }];
  await runAgent({
    input: Readable.from(asked.map((line) => `${JSON.stringify(line)}\n`)),
    output,
    signal: new AbortController().signal,
    connect: async () => {
      throw new StorageError("denied", "no credentials: sign in");
    },
  });
  output.end();
  assert.deepEqual(JSON.parse((await said).trim().split("\n").at(-1) ?? ""), {
    event: "complete",
    oid,
    error: { code: 403, message: "no credentials: sign in" },
  });
});

test("progress adds up to the size, and only what is sent counts", async (t) => {
  const session = await Session.create(t);
  const { oid, size, path } = await session.local(1, 5_000_000);
  const upload = { event: "upload", oid, size, path };
  const answers = await session.saysRaw([INIT, upload, upload, { event: "download", oid, size }]);
  const progress = answers.flatMap((answer) => ("event" in answer && answer.event === "progress" ? [answer] : []));
  let since = 0;
  for (const { bytesSoFar, bytesSinceLast } of progress) {
    since += bytesSinceLast;
    assert.equal(bytesSoFar, since > size ? since - size : since);
  }
  assert.equal(since, 2 * size, "one upload and one download");
});

for (const how of ["a signal", "the end of whoever reads its answers"]) {
  test(`${how} stops a transfer, which leaves nothing half done and is not answered`, async (t) => {
    const session = await Session.create(t);
    const { oid, size, path } = await session.local(1, 100_000);
    const reached = Promise.withResolvers<void>();
    const never = new Promise(() => undefined);
    session.seen = new FaultyLayer(session.store, (call) => {
      if (call !== "put") return undefined;
      reached.resolve();
      return { call, moment: { at: "body", bytes: 1000 }, error: never };
    });
    const input = new PassThrough();
    const output = new PassThrough();
    const stop = new AbortController();
    const ended = session.run(input, output, stop.signal);
    let said = "";
    output.on("data", (chunk: Buffer) => (said += chunk.toString()));
    input.write(`${JSON.stringify(INIT)}\n${JSON.stringify({ event: "upload", oid, size, path })}\n`);
    await reached.promise;
    if (how === "a signal") stop.abort(new Error("interrupted"));
    else output.destroy(new Error("EPIPE"));
    await ended;
    assert.equal(await session.kept(`lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`), undefined);
    assert.match(said, /^\{\}\n/);
    assert.doesNotMatch(said, /complete/);
  });
}
