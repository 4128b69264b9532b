import { randomUUID } from "node:crypto";
import { after, before, describe, test, type TestContext } from "node:test";
import { findService, type FoundService } from "../../../../scripts/services.ts";
import { atEnd } from "../../../../test/support/at-end.ts";
import { GcsServer } from "../../../../test/support/gcs-server.ts";
import { skip } from "../../../../test/support/require.ts";
import { objectStoreContract, type Deviation } from "../contract.ts";
import type { ObjectStore } from "../port.ts";
import { openGcs } from "./open.ts";
import { parseGcsUrl } from "./options.ts";

const SIGNATURE: Deviation = {
  test: "a request that was signed for one key or method is good for no other",
  reason: "fake-gcs-server looks at no signature; signing.test.ts checks ours",
};
const IGNORED = "fake-gcs-server ignores the preconditions of";

const BARE: readonly Deviation[] = [
  SIGNATURE,
  { test: "delete with ifMatch removes this version only", reason: `${IGNORED} deletions` },
  { test: "a copy replaces what is there, unless it is to create", reason: `${IGNORED} copies` },
  { test: "of several uploads that create one object exactly one succeeds", reason: `${IGNORED} what is put together` },
];
