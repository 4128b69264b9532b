import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { lfsPerson } from "../lfs-agent.ts";
import { jobsIn, policiesIn, policyFor } from "../policies.ts";
import { requireService } from "../require.ts";
import { type Finished, run, said } from "../run.ts";
import { type Enforcer, lacking, type Policy } from "../s3-enforcers.ts";
import { Person } from "./person.ts";

/** Pages of the documentation with a table of jobs, and the page with the policies that it names. */
const PAGES = {
  "git-remote.md": "git-remote.md",
  "repo-commands.md": "git-remote.md",
  "lfs-agent.md": "lfs-agent.md",
} as const;

export type Page = keyof typeof PAGES;

/** Below a bucket: a repository, and one that is made of it. */
export const [HERE, THERE] = ["team/app", "team/packs"] as const;

/** A policy, and the prefix that it is for. */
export interface Grant {
  readonly policy: Policy;
  readonly prefix: string;
}

/** A bucket, whoever has it, and a guest who may do what they have policies for. */
export class Office {
  readonly bucket: string;
  /** Of the repository. */
  readonly url: string;
  /** By which the owner's programs get to the bucket. */
  readonly env: Readonly<NodeJS.ProcessEnv>;
  readonly owner: Person;
  /** At a machine of their own; with the owner's rights, for what is there before. */
  readonly guest: Person;
  readonly #enforcer: Enforcer;

  private constructor(enforcer: Enforcer, bucket: string, [owner, guest]: readonly [Person, Person]) {
    this.#enforcer = enforcer;
    this.bucket = bucket;
    this.url = `s3://${bucket}/${HERE}`;
    this.env = enforcer.owner;
    this.owner = owner;
    this.guest = guest;
  }

  /** @param o.lfs both have git-lfs. Undefined, and the test skipped, where there is none */
  static async open(
    t: TestContext,
    enforcer: Enforcer,
    { lfs = false }: { readonly lfs?: boolean | undefined } = {},
  ): Promise<Office | undefined> {
    const gitLfs = lfs ? await requireService(t, "git-lfs") : undefined;
    if (lfs && gitLfs === undefined) return undefined;
    const person = async (): Promise<Person> => {
      if (gitLfs === undefined) return await Person.create(t, { env: enforcer.owner });
      const one = await lfsPerson(t, gitLfs, { ...enforcer.owner, GIT_SSH_COMMAND: "false" });
      await one.git(".", "lfs-holdall", "install", "--global");
      return one;
    };
    return new Office(enforcer, await enforcer.createBucket(), [await person(), await person()]);
  }

  /** The guest with these rights, and no longer with any other. */
  async admit(grants: readonly Grant[]): Promise<Person> {
    const Statement = grants.flatMap(({ policy, prefix }) => policyFor(policy, this.bucket, prefix).Statement);
    return this.guest.with(await this.#enforcer.admit(this.bucket, { Version: "2012-10-17", Statement }));
  }
}

/** Runs `holdall repo …`; `BUCKET` in its arguments is the bucket. */
export async function runRepo(guest: Person, { bucket }: Office, args: readonly string[]): Promise<Finished> {
  const all = ["repo", ...args.map((arg) => arg.replace("BUCKET", `s3://${bucket}`))];
  return await run("holdall", all, { cwd: guest.home, env: guest.env });
}

/** What each job of a page takes, in the order of its table. */
export async function grantsIn(page: Page): Promise<ReadonlyMap<string, readonly Grant[]>> {
  const [jobs, policies] = [await jobsIn(page), await policiesIn(PAGES[page])];
  return new Map([...jobs].map(([job, cell]) => [job, grantsOf(cell, policies)]));
}

/** As a table says it: `Fetch, Push`, or `Fetch for the one, Fetch and Push for the other`. */
function grantsOf(cell: string, policies: ReadonlyMap<string, Policy>): readonly Grant[] {
  const sides = cell.includes(" for the ") ? cell.split(", ") : [cell];
  return sides.flatMap((side, index) =>
    [...side.matchAll(/\b[A-Z]\w+/g)].map(([name]) => ({
      policy: policies.get(name) ?? assert.fail(`there is no policy ${name}`),
      prefix: [HERE, THERE][index] ?? assert.fail(cell),
    })),
  );
}

/** Each action that is allowed, and the same rights without it there. */
export function withoutEach(grants: readonly Grant[]): readonly { action: string; left: readonly Grant[] }[] {
  return grants.flatMap((one) =>
    one.policy.Statement.flatMap(({ Action }) => Action).map((action) => ({
      action,
      left: grants.map((grant) => (grant === one ? { ...grant, policy: lacking(grant.policy, action) } : grant)),
    })),
  );
}

/** It failed, and one line says so in words of ours, whatever the store's are. */
export function assertNamed(finished: Finished, action: string): void {
  assert.notEqual(finished.code, 0, `it goes without ${action}: ${said(finished)}`);
  const lines = said(finished).split("\n");
  const hint = new RegExp(`allow these credentials .*${action}\\b`);
  assert.equal(lines.filter((line) => hint.test(line)).length, 1, `without ${action}: ${said(finished)}`);
  assert.ok(!lines.some((line) => /^\s+at /.test(line)), said(finished));
}
