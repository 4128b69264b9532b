import { objectStoreContract } from "../../contract.ts";
import { FsStore } from "../../fs/store.ts";
import { MemoryStore } from "../../memory/store.ts";
import { temporaryFolder } from "../../../test/folder.ts";
import { VerifyLayer } from "../verify.ts";
import { EncryptLayer } from "./encrypt-layer.ts";
import { keyringOf } from "./fixtures/keys.ts";

const NEVER = ["copy", "multipart", "presignGet", "presignPut", "presignSha256", "presignPart"] as const;

objectStoreContract({
  name: "encrypt over memory",
  create: () => new EncryptLayer(new MemoryStore(), keyringOf("a")),
  lacks: ["checkSha256", ...NEVER],
});

objectStoreContract({
  name: "verify over encrypt over memory",
  create: () => new VerifyLayer(new EncryptLayer(new MemoryStore(), keyringOf("a"))),
  lacks: NEVER,
});

objectStoreContract({
  name: "encrypt over fs",
  create: async (t) => new EncryptLayer(new FsStore(await temporaryFolder(t)), keyringOf("a")),
  lacks: ["checkSha256", ...NEVER],
  deviations: [{ test: "a key and one below it live side by side", reason: "a name is either a file or a folder" }],
});
