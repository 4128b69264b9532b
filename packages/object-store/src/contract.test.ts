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

const adapters = [
  {
    name: "memory",
    create: (): ObjectStore => new MemoryStore(),
    unclaimed: ["checkSha256", "multipart", ...SIGNED],
    deviations: [],
  },
  { name: "fs", create: folderStore, unclaimed: ["checkSha256", ...SIGNED], deviations: folders },
] as const;

for (const { name, create, unclaimed: lacks, deviations } of adapters) {
  objectStoreContract({ name, create, lacks, deviations });
  objectStoreContract({
    name: `prefix over ${name}`,
    create: async (t) => new PrefixLayer(await create(t), "some/prefix"),
    lacks,
    deviations,
  });
  objectStoreContract({
    name: `verify over ${name}`,
    create: async (t) => new VerifyLayer(await create(t)),
    lacks: lacks.filter((capability) => capability !== "checkSha256"),
    deviations,
  });
  objectStoreContract({
    name: `retry over ${name}`,
    create: async (t) => new RetryLayer(await create(t)),
    lacks,
    deviations,
  });
  objectStoreContract({
    name: `faulty over ${name}, without faults`,
    create: async (t) => new FaultyLayer(await create(t), () => undefined),
    lacks,
    deviations,
  });
}
