import assert from "node:assert/strict";
import { test } from "node:test";
import { parseOid } from "@holdall/lfs-protocol/oid";
import fc from "fast-check";
import { oidNamed } from "../../../test/support/names.ts";
import { parseRequest, RequestError, type Request } from "./messages.ts";

const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
const nearly = fc.oneof(hex, fc.stringMatching(/^[0-9a-fA-F]{63,65}$/), fc.string(), fc.anything());
const oid = hex.map(oidNamed);
const size = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const whole = { noNullPrototype: true };
const requests: fc.Arbitrary<Request> = fc.oneof(
  fc.record(
    {
      event: fc.constant("init" as const),
      operation: fc.constantFrom("upload" as const, "download" as const),
      remote: fc.string(),
    },
    whole,
  ),
  fc.record({ event: fc.constant("upload" as const), oid, size, path: fc.string() }, whole),
  fc.record({ event: fc.constant("download" as const), oid, size }, whole),
  fc.record({ event: fc.constant("terminate" as const) }, whole),
);

test("a request is read as it was meant, whatever git-lfs adds to it", () => {
  fc.assert(
    fc.property(requests, fc.dictionary(fc.constantFrom("action", "new", "x"), fc.jsonValue()), (request, more) => {
      assert.deepEqual(parseRequest(JSON.stringify({ ...more, ...request })), request);
    }),
  );
});

test("any other line is refused, and by the name of its object if it has one", () => {
  const fields = fc.record(
    {
      event: fc.constantFrom("init", "upload", "download", "verify", 1, null),
      oid: nearly,
      size: fc.oneof(fc.constantFrom(-1, 1.5, 2 ** 60, "1", null), size),
      path: fc.oneof(fc.string(), fc.integer()),
      operation: fc.constantFrom("upload", "fetch", null),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.jsonValue().map((value) => JSON.stringify(value)),
        fields.map((value) => JSON.stringify(value)),
      ),
      (line) => {
        try {
          const request = parseRequest(line);
          assert.ok(["init", "upload", "download", "terminate"].includes(request.event));
          if ("size" in request)
            assert.ok(parseOid(request.oid) && Number.isSafeInteger(request.size) && request.size >= 0);
        } catch (error) {
          assert.ok(error instanceof RequestError, String(error));
          assert.ok(error.message.length < 250);
        }
      },
    ),
  );
});
