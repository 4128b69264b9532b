import { describe } from "node:test";
import { lifeContract } from "./contract/life.ts";
import { locksContract } from "./contract/locks.ts";
import { objectsContract } from "./contract/objects.ts";
import { repositoriesContract } from "./contract/repositories.ts";
import type { Subject } from "./contract/subject.ts";
import { tokensContract } from "./contract/tokens.ts";
import { uploadsContract } from "./contract/uploads.ts";
import { usersContract } from "./contract/users.ts";

export type { Subject, TestDatabase } from "./contract/subject.ts";

/** Registers with node:test everything that the `Metadata` port promises, for one adapter. */
export function metadataContract(subject: Subject): void {
  describe(`${subject.name}: the Metadata contract`, () => {
    lifeContract(subject);
    repositoriesContract(subject);
    objectsContract(subject);
    uploadsContract(subject);
    locksContract(subject);
    usersContract(subject);
    tokensContract(subject);
  });
}
