import { GitStoreError } from "./errors.ts";
import type { Change, Draft } from "./change.ts";
import type { Manifest, RefRule } from "./manifest.ts";
import { isDenied, matches } from "./rules.ts";

const BRANCHES = "refs/heads/";

/** Puts a rule in the place of the one for the same refs, if there is one. @param by as git knows the person */
export function protecting(rule: RefRule, by: string | undefined): Change {
  return changing("rules", by, (now) => {
    const same = now.rules.find(({ refs }) => refs === rule.refs);
    if (same !== undefined && same.deny.toSorted().join() === rule.deny.toSorted().join()) return undefined;
    return { next: { ...now, rules: [...now.rules.filter((other) => other !== same), rule] }, updates: [] };
  });
}

/** Takes the rule for exactly these refs away. */
export function unprotecting(refs: string, by: string | undefined): Change {
  return changing("rules", by, (now) => {
    const rules = now.rules.filter((rule) => rule.refs !== refs);
    if (rules.length < now.rules.length) return { next: { ...now, rules }, updates: [] };
    const wider = now.rules.find((rule) => matches(rule.refs, refs));
    const hint = wider === undefined ? "" : `; the rule for ${wider.refs} protects it`;
    throw refused(`there is no rule for ${refs}${hint}`);
  });
}

/** Makes another branch the one that clones begin with. @param branch its full name */
export function pointingHead(branch: string, by: string | undefined): Change {
  return changing("head", by, (now) => {
    if (!now.refs.has(branch)) throw absent(branch);
    return now.head === branch ? undefined : { next: { ...now, head: branch }, updates: [] };
  });
}

/**
 * Deletes a branch.
 * @param branch its full name
 * @param from what it is known to be: one that has moved since is left alone
 */
export function deletingBranch(branch: string, from: string, by: string | undefined): Change {
  return changing("push", by, (now) => {
    const current = now.refs.get(branch)?.oid;
    if (current === undefined) throw absent(branch);
    if (current !== from) throw refused(`${short(branch)} has just been moved by somebody else: look again`);
    if (branch === now.head) {
      throw refused(`${short(branch)} is the branch that clones begin with: make another one that first (set-head)`);
    }
    if (isDenied(now.rules, branch, "delete")) {
      throw refused(`${short(branch)} is protected against deletion: take the rule away first (unprotect)`);
    }
    const refs = new Map(now.refs);
    refs.delete(branch);
    return { next: { ...now, refs }, updates: [{ ref: branch, from }] };
  });
}

function changing(
  what: Change["log"]["what"],
  by: string | undefined,
  make: (now: Manifest) => Draft | undefined,
): Change {
  return {
    log: { what, ...(by === undefined ? {} : { by }) },
    make: (now) => {
      if (now === undefined) throw refused("there is no repository any more");
      return make(now);
    },
  };
}

function absent(branch: string): GitStoreError {
  return refused(`there is no branch ${short(branch)}`);
}

function short(branch: string): string {
  return branch.startsWith(BRANCHES) ? branch.slice(BRANCHES.length) : branch;
}

function refused(message: string): GitStoreError {
  return new GitStoreError("refused", message);
}
