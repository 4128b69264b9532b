import assert from "node:assert/strict";
import { test } from "node:test";
import { Person } from "../support/git-remote/person.ts";
import { PLACE_NAMES, Places, storeOf } from "../support/git-remote/places.ts";
import { keysBelow } from "../support/git-remote-s3.ts";

const places = Places.shared();

for (const name of PLACE_NAMES) {
  test(`git-remote-s3's layout is written and read on ${name}, and what is there is recognised`, async (t) => {
    const remote = await places.remote(t, name);
    if (remote === undefined) return;
    const url = `${remote.url}${remote.url.includes("?") ? "&" : "?"}layout=bundles`;
    const ada = await Person.create(t, { env: remote.env });
    await ada.init("work", { url });
    const first = await ada.commit("work", "one");
    await ada.git("work", "push", "--quiet", "origin", "main", "main:refs/heads/other");
    await ada.clone("copy", remote);
    const second = await ada.commit("copy", "two");
    await ada.git("copy", "push", "--quiet", "origin", "main", ":other");
    await ada.git("work", "pull", "--quiet", "origin", "main");
    assert.equal(await ada.git("work", "rev-parse", "HEAD", "HEAD~1"), `${second}\n${first}`);
    const store = await storeOf(remote);
    assert.deepEqual(await keysBelow(store, ""), ["HEAD", `refs/heads/main/${second}.bundle`]);
    await store.close();
    assert.deepEqual(await ada.temporaries(), []);
  });
}
