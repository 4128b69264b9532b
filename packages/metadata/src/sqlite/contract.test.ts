import { metadataContract } from "../contract.ts";
import { openSqlite } from "./open.ts";
import { newFolder } from "./fixtures/folder.ts";

metadataContract({
  name: "SQLite",
  create: async () => {
    const folder = await newFolder();
    return { open: () => openSqlite({ file: folder.path("metadata.db") }), remove: () => folder.remove() };
  },
});
