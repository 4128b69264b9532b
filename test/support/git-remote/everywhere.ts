import { describe, test, type TestContext } from "node:test";
import { requireService } from "../require.ts";
import { Person } from "./person.ts";
import { PLACE_NAMES, Places, type Remote } from "./places.ts";

/** Somebody, and an address at which nothing is yet. */
export interface Scene {
  readonly t: TestContext;
  readonly remote: Remote;
  readonly ada: Person;
}

export type Story = (scene: Scene) => Promise<void>;

/** As many as keep two processors busy: git and its helper wait for each other most of the time. */
const AT_ONCE = 4;

/** Stories that have to come out the same wherever the remote is, and whichever git there is: one test for each of them. */
export function everywhere(stories: Readonly<Record<string, Story>>): void {
  const places = Places.shared();
  describe("a remote that is a store", { concurrency: AT_ONCE }, () => {
    for (const [title, story] of Object.entries(stories)) {
      for (const place of PLACE_NAMES) {
        test(`${place}: ${title}`, async (t) => {
          const remote = await places.remote(t, place);
          if (remote !== undefined) await story({ t, remote, ada: await Person.create(t, remote) });
        });
      }
      for (const name of ["git-oldest", "git-newest"] as const) {
        test(`${name}: ${title}`, async (t) => {
          const git = await requireService(t, name);
          const remote = await places.remote(t, "local disk");
          if (git === undefined || remote === undefined) return;
          await story({ t, remote, ada: await Person.create(t, { ...remote, git }) });
        });
      }
    }
  });
}
