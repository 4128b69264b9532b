import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import { atEnd } from "../support/at-end.ts";
import { Person } from "../support/git-remote/person.ts";
import { begin, checkWhole } from "../support/git-remote/work.ts";
import { CHECKOUT } from "../support/holdall.ts";
import { type Finished, run } from "../support/run.ts";
import { S3TestServer } from "../support/s3-test-server/server.ts";

interface Policy {
  readonly Version: string;
  readonly Statement: readonly { readonly Sid: string; readonly Action: readonly string[] }[];
}

type Job = "fetch" | "push" | "maintain";

/** The policies of docs/git-remote.md, each with those before it. */
const JOBS: ReadonlyMap<Job, Policy> = await readPolicies();

async function readPolicies(): Promise<ReadonlyMap<Job, Policy>> {
  const docs = await readFile(`${CHECKOUT}/docs/git-remote.md`, "utf8");
  const policies = [...docs.matchAll(/^```json\n(.*?)^```$/gms)].map(([, text = ""]) => JSON.parse(text) as Policy);
  const jobs: readonly Job[] = ["fetch", "push", "maintain"];
  assert.equal(policies.length, jobs.length);
  const upTo = (index: number): Policy["Statement"] =>
    policies.slice(0, index + 1).flatMap(({ Statement }) => Statement);
  return new Map(jobs.map((job, index) => [job, { Version: "2012-10-17", Statement: upTo(index) }]));
}

class Office {
  readonly server: S3TestServer;
  readonly remote: { readonly url: string; readonly env: Readonly<NodeJS.ProcessEnv> };
  readonly owner: Person;
  readonly #bucket: string;

  private constructor(server: S3TestServer, bucket: string, owner: Person) {
    this.server = server;
    this.#bucket = bucket;
    this.remote = { url: `s3://${bucket}/team/app`, env: server.env };
    this.owner = owner;
  }

  static async open(t: TestContext): Promise<Office> {
    const server = await S3TestServer.start();
    atEnd(t, () => server[Symbol.asyncDispose]());
    const bucket = await server.createBucket();
    return new Office(server, bucket, await Person.create(t, { env: server.env }));
  }

  /** Somebody who may do what a job needs, but for one action. */
  async admit(t: TestContext, job: Job, without?: string): Promise<Person> {
    const { Version, Statement } = JOBS.get(job) ?? assert.fail();
    const left = Statement.flatMap(({ Action, ...rest }) => {
      const actions = Action.filter((one) => one !== without);
      return actions.length === 0 ? [] : [{ ...rest, Action: actions }];
    });
    const policy = { Version, Statement: left };
    const text = JSON.stringify(policy).replaceAll("BUCKET", this.#bucket).replaceAll("PREFIX", "team/app");
    return await Person.create(t, { env: this.server.addUser(JSON.parse(text)) });
  }
}

test("with the rights to fetch one clones and fetches, and is told that one may not push", async (t) => {
  const office = await Office.open(t);
  await begin(office.owner, office.remote);
  const reader = await office.admit(t, "fetch");
  await reader.clone("copy", office.remote);
  await office.owner.commit("work", "two");
  await office.owner.git("work", "push", "--quiet", "origin", "main");
  await reader.git("copy", "pull", "--quiet");
  await reader.commit("copy", "mine");
  const { code, stderr } = await reader.tryGit("copy", "push", "origin", "main");
  assert.notEqual(code, 0);
  assert.match(stderr, /^fatal: .*s3:PutObject.*$/m);
  assert.doesNotMatch(stderr, /\n\s+at /);
});

test("with the rights to push one begins a repository and pushes to it", async (t) => {
  const office = await Office.open(t);
  const writer = await office.admit(t, "push");
  await begin(writer, office.remote, { commits: ["one", "two"] });
  await writer.git("work", "push", "--quiet", "origin", "main:refs/heads/other");
  await writer.git("work", "push", "--quiet", "--delete", "origin", "other");
});

test("with the rights to maintain one merges packs and removes what is old, and a pusher may not", async (t) => {
  const office = await Office.open(t);
  await begin(office.owner, office.remote, { commits: ["one"] });
  for (const name of ["two", "three"]) {
    await office.owner.commit("work", name);
    await office.owner.git("work", "push", "--quiet", "origin", "main");
  }
  const maintain = async (person: Person, grace = "0s"): Promise<Finished> =>
    await run("holdall", ["repo", "maintain", office.remote.url, "--grace", grace], { env: person.env });
  // Merging only adds.
  const writer = await office.admit(t, "push");
  assert.equal((await maintain(writer, "14d")).code, 0);
  const pusher = await maintain(writer);
  assert.equal(pusher.code, 1);
  assert.match(pusher.stderr, /^holdall: .*s3:DeleteObject.*$/m);
  const maintainer = await maintain(await office.admit(t, "maintain"));
  assert.equal(maintainer.code, 0, maintainer.stderr);
  await checkWhole(office.owner, office.remote);
});

for (const [job, action] of [
  ["fetch", "s3:GetObject"],
  ["push", "s3:PutObject"],
] as const) {
  test(`${action} is needed to ${job}, and named when it is not there`, async (t) => {
    const office = await Office.open(t);
    await begin(office.owner, office.remote);
    const person = await office.admit(t, job, action);
    await person.init("own", office.remote);
    await person.commit("own", "one");
    const { code, stderr } = await person.tryGit("own", "push", "origin", "main:refs/heads/own");
    assert.notEqual(code, 0);
    assert.match(stderr, new RegExp(`^fatal: .*${action}.*$`, "m"));
  });
}
