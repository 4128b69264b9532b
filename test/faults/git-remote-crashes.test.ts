import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { GitStore } from "@holdall/git-store";
import { FaultyLayer, FsStore, StorageError, type Fault } from "@holdall/object-store";
import { Person } from "../support/git-remote/person.ts";
import { manyCommits, QuickPusher } from "../support/git-remote/quick-pusher.ts";
import { checkWhole } from "../support/git-remote/work.ts";

const MOMENTS: readonly Fault["moment"][] = [{ at: "before" }, { at: "body", bytes: 20 }, { at: "after" }];

/** As many as a push asks. */
const CALLS = 7;

// To a store it is the same whether who asks has died, has lost the network or is slow for ever: nothing more comes.
describe("a push that ends after any of what it asks the store", { concurrency: 3 }, () => {
  for (let last = 1; last <= CALLS; last += 1) {
    for (const moment of MOMENTS) {
      test(`${moment.at} call ${last}: the old state or the new, whole, and the next push goes through`, async (t) => {
        const ada = await Person.create(t);
        const [one = "", two = "", three = ""] = await manyCommits(ada, "work", 3);
        const folder = ada.path("store");
        const open = (): FsStore => new FsStore(folder);
        await new QuickPusher(ada, "work", open()).push(one);

        let calls = 0;
        const dying = new FaultyLayer(open(), (call) => {
          calls += 1;
          const error = new StorageError("unavailable", "nothing more comes", { retryable: false, uncertain: true });
          if (calls < last) return undefined;
          return { call, moment: calls === last ? moment : { at: "before" }, error };
        });
        const told = await new QuickPusher(ada, "work", dying).push(two).then(
          () => true,
          () => false,
        );
        const value = async (): Promise<string | undefined> => {
          const store = open();
          const { manifest } = (await new GitStore(store).read()) ?? assert.fail();
          await store.close();
          return manifest.refs.get("refs/heads/main")?.oid;
        };
        assert.ok([one, two].includes((await value()) ?? ""));
        if (told) assert.equal(await value(), two);
        const url = `holdall::${pathToFileURL(folder).href}`;
        await checkWhole(ada, { url }, "between");
        await new QuickPusher(ada, "work", open()).push(three);
        assert.equal(await value(), three);
        await checkWhole(ada, { url });
      });
    }
  }
});
