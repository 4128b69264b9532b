import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { after, before, describe, test, type TestContext } from "node:test";
import { type S3Service, startS3 } from "../support/cloud-stores.ts";
import { seededBytes } from "../support/content.ts";
import { inWords, Line } from "../support/git-remote/line.ts";
import { Mortal } from "../support/git-remote/mortal.ts";
import { Person } from "../support/git-remote/person.ts";
import { leavesUntouched } from "../support/git-remote/untouched.ts";
import { begin, checkWhole, refsOf } from "../support/git-remote/work.ts";

let server: S3Service;
before(async () => {
  server = await startS3();
});
after(async () => {
  await server[Symbol.asyncDispose]();
});

/** When: as a request comes, of which nothing is passed on; or when the store has done it, and nothing of the answer is. */
type Moment = "before" | "after";

/** Where a command is ended: at its so many-th request. */
interface Step {
  readonly at: number;
  readonly moment: Moment;
}

interface Scene {
  readonly line: Line;
  readonly ada: Person;
  /** Runs git in a folder, until that step. @returns the command, and what it had asked for */
  readonly until: (
    step: Step,
    end: (command: Mortal) => Promise<void> | void,
    folder: string,
    ...args: readonly string[]
  ) => Promise<{ readonly command: Mortal; readonly word: string }>;
}

/** `work` has a commit that is not pushed, and `copy` lacks one that is. */
async function scene(t: TestContext): Promise<Scene> {
  let step: Step | undefined;
  let count = 0;
  let reached = Promise.withResolvers<string>();
  /** Nothing more comes through once the step is reached. */
  const stop = (moment: Moment, word: string): void => {
    if (step === undefined || count < step.at) return;
    if (count > step.at || step.moment === moment) {
      reached.resolve(word);
      throw new Error("the line is cut");
    }
  };
  const line: Line = await Line.to(t, server, {
    before: async (asked) => {
      count += 1;
      // A request that is thrown away here would be answered: its connection has to break.
      stop("before", inWords([asked])[0] ?? "");
    },
    download: async function* (exchange, body) {
      stop("after", inWords([line.asked(exchange)])[0] ?? "");
      yield* body;
    },
  });
  const ada = await Person.create(t, line);
  await begin(ada, line);
  await ada.clone("copy", line);
  await ada.commit("work", "two", seededBytes(2, 100_000));
  await ada.git("work", "push", "--quiet");
  await ada.commit("work", "three");
  const until: Scene["until"] = async (at, end, folder, ...args) => {
    [step, count, reached] = [at, 0, Promise.withResolvers<string>()];
    const command = await Mortal.start(ada, folder, ...args);
    const word = await Promise.race([reached.promise, command.ended.then((code) => `the end (${code})`)]);
    await end(command);
    await command.gone();
    step = undefined;
    return { command, word };
  };
  return { line, ada, until };
}

const MOMENTS: readonly Moment[] = ["before", "after"];
const steps = (count: number): readonly Step[] =>
  Array.from({ length: count }, (_, index) => MOMENTS.map((moment) => ({ at: index + 1, moment }))).flat();

describe("killed", { concurrency: 3 }, () => {
  for (const step of steps(7)) {
    test(`a push, by its helper, ${step.moment} request ${step.at}: the old state or the new, and the next push works`, async (t) => {
      const { line, ada, until } = await scene(t);
      const [two, three] = [await ada.git("work", "rev-parse", "main~1"), await ada.git("work", "rev-parse", "main")];
      const { command, word } = await until(step, (git) => git.killHelper(), "work", "push", "origin", "main");
      t.diagnostic(word);
      assert.notEqual(await command.ended, 0);
      const isCommitted = step.at > 4 || (step.at === 4 && step.moment === "after");
      assert.equal((await refsOf(ada, line)).get("refs/heads/main"), isCommitted ? three : two);
      await checkWhole(ada, line, "between");
      await ada.git("work", "push", "--quiet", "origin", "main", "main:refs/heads/next");
      await checkWhole(ada, line);
      const whole = [await ada.git("whole", "rev-parse", "main"), await ada.git("whole", "rev-parse", "next")];
      assert.deepEqual(whole, [three, three]);
      await ada.git("work", "prune", "--expire=now");
      const left = (await readdir(ada.path("work", ".git", "objects"))).filter((name) => !/^[0-9a-f]{2}$/.test(name));
      assert.deepEqual(left.toSorted(), ["info", "pack"], "git clears away what is left");
    });
  }

  for (const step of steps(3)) {
    test(`a fetch, by its helper, ${step.moment} request ${step.at}: the next one has everything`, async (t) => {
      const { ada, until } = await scene(t);
      const { command, word } = await until(step, (git) => git.killHelper(), "copy", "pull", "--quiet");
      t.diagnostic(word);
      assert.notEqual(await command.ended, 0);
      await ada.git("copy", "fsck", "--strict");
      await ada.git("copy", "pull", "--quiet");
      assert.equal(await ada.git("copy", "rev-parse", "HEAD"), await ada.git("work", "rev-parse", "main~1"));
      await ada.git("copy", "fsck", "--strict");
    });
  }

  for (const [what, folder, args, at] of [
    ["a push", "work", ["push", "origin", "main"], 2],
    ["a fetch", "copy", ["fetch", "origin"], 2],
  ] as const) {
    test(`git, during ${what}: its helper ends too, and the next one works`, async (t) => {
      const { line, ada, until } = await scene(t);
      const { command } = await until({ at, moment: "before" }, (git) => git.killGit(), folder, ...args);
      assert.equal(await command.ended, "SIGKILL");
      await ada.git(folder, ...args);
      await checkWhole(ada, line);
    });
  }
});

describe("interrupted from the terminal", { concurrency: 3 }, () => {
  for (const [what, folder, args, at] of [
    ["a push that looks", "work", ["push", "origin", "main"], 1],
    ["a push that sends", "work", ["push", "origin", "main"], 2],
    ["a push that commits", "work", ["push", "origin", "main"], 4],
    ["a fetch", "copy", ["fetch", "origin"], 2],
    ["a fetch of a part", "copy", ["fetch", "--depth=1", "origin"], 2],
  ] as const) {
    test(`${what}: nothing is left of it anywhere`, async (t) => {
      const { ada, until } = await scene(t);
      await leavesUntouched(ada, folder, async () => {
        const { word } = await until({ at, moment: "before" }, (git) => git.interrupt(), folder, ...args);
        t.diagnostic(word);
      });
      await ada.git(folder, ...args);
    });
  }

  test("a clone: neither the clone nor anything else", async (t) => {
    const { line, ada, until } = await scene(t);
    const before = (await readdir(ada.home)).toSorted();
    for (const args of [[], ["--depth=1"], ["--filter=blob:none"]]) {
      const step = { at: 3, moment: "before" } as const;
      await until(step, (git) => git.interrupt(), ".", "clone", ...args, line.url, "again");
      const now = (await readdir(ada.home)).filter((name) => ![".bin", ".helper", ".cache"].includes(name));
      assert.deepEqual(now.toSorted(), before);
      assert.deepEqual(await ada.temporaries(), []);
      const cached = await readdir(ada.path(".cache"), { recursive: true }).catch(() => []);
      assert.deepEqual(
        cached.filter((name) => /tmp|\.keep$|\.\d+$/.test(name)),
        [],
      );
    }
  });
});
