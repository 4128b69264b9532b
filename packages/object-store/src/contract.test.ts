import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { objectStoreContract, type Deviation } from "./contract.ts";
import { FsStore } from "./fs/store.ts";
import { FaultyLayer } from "./layers/faulty.ts";
import { PrefixLayer } from "./layers/prefix.ts";
import { RetryLayer } from "./layers/retry.ts";
import { VerifyLayer } from "./layers/verify.ts";
import { MemoryStore } from "./memory/store.ts";
import type { ObjectStore } from "./port.ts";

async function folderStore(t: TestContext): Promise<ObjectStore> {
  const folder = await mkdtemp(join(tmpdir(), "holdall-object-store-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return new FsStore(folder);
}

const folders: readonly Deviation[] = [
  { test: "a key and one below it live side by side", reason: "a name is either a file or a folder" },
];

const SIGNED = ["presignGet", "presignPut", "presignSha256", "presignPart"] as const;

const lacks = ["checkSha256", "multipart", ...SIGNED] as const;
const memory = (): ObjectStore => new MemoryStore();

objectStoreContract({ name: "memory", create: memory, lacks, deviations: [] });
objectStoreContract({ name: "fs", create: folderStore, lacks: ["checkSha256", ...SIGNED], deviations: folders });

// A layer takes nothing from the store that it is around.
for (const [name, layer] of [
  ["prefix", (store: ObjectStore) => new PrefixLayer(store, "some/prefix")],
  ["verify", (store: ObjectStore) => new VerifyLayer(store)],
  ["retry", (store: ObjectStore) => new RetryLayer(store)],
] as const) {
  objectStoreContract({
    name: `${name} over fs`,
    create: async (t) => layer(await folderStore(t)),
    lacks: name === "verify" ? SIGNED : ["checkSha256", ...SIGNED],
    deviations: folders,
  });
}
objectStoreContract({
  name: "faulty over memory, without faults",
  create: () => new FaultyLayer(memory(), () => undefined),
  lacks,
  deviations: [],
});
