import type { RepositoryName } from "@holdall/lfs-protocol";
import type { Right } from "@holdall/metadata";
import { IdentityError } from "./errors.ts";
import { parsePattern, type Pattern } from "./patterns.ts";
import type { Principal } from "./principal.ts";
import { parseUserName } from "./user-name.ts";

/** Whom a rule is about: everyone, credentials or not; every signed-in user; or one user. */
export type Who =
  | { readonly kind: "anyone" }
  | { readonly kind: "user" }
  | { readonly kind: "named"; readonly name: string };

export interface AccessRule {
  readonly who: Who;
  readonly repositories: Pattern;
  readonly right: Right;
}

const RANK: Readonly<Record<Right, number>> = { read: 1, write: 2, admin: 3 };

/** Whether who holds `held` may do what needs `needed`: admin includes write, and write includes read. */
export function includesRight(held: Right | undefined, needed: Right): boolean {
  return held !== undefined && RANK[held] >= RANK[needed];
}

/** Decides what a principal may do in a repository. No I/O: the same rules and arguments, the same answer. */
export class Access {
  readonly #rules: readonly AccessRule[];

  constructor(rules: readonly AccessRule[]) {
    this.#rules = rules;
  }

  /**
   * The highest right of all rules that match; admins have `admin` everywhere. A scope then caps it: at most the scope's
   * right, and none outside its repositories, for admins too. Undefined: no right at all.
   * @throws IdentityError `invalid` when the principal's scope holds what is not a pattern
   */
  right(principal: Principal, repository: RepositoryName): Right | undefined {
    const granted = this.#granted(principal, repository);
    const { scope } = principal;
    if (granted === undefined || scope === undefined) return granted;
    if (!scope.repositories.some((pattern) => parsePattern(pattern).matches(repository))) return undefined;
    return includesRight(granted, scope.right) ? scope.right : granted;
  }

  #granted(principal: Principal, repository: RepositoryName): Right | undefined {
    if (principal.kind === "user" && principal.admin) return "admin";
    let highest: Right | undefined;
    for (const { who, repositories, right } of this.#rules) {
      if (!includesRight(highest, right) && isAbout(who, principal) && repositories.matches(repository))
        highest = right;
    }
    return highest;
  }
}

function isAbout(who: Who, principal: Principal): boolean {
  switch (who.kind) {
    case "anyone":
      return true;
    case "user":
      return principal.kind === "user";
    case "named":
      return principal.kind === "user" && principal.name === who.name;
  }
}

/**
 * The rules of a configuration that has none: anyone writes everywhere when only this machine can reach the server,
 * otherwise every signed-in user does.
 */
export function defaultRules(o: { readonly loopback: boolean }): readonly AccessRule[] {
  return [{ who: { kind: o.loopback ? "anyone" : "user" }, repositories: parsePattern("**"), right: "write" }];
}

/** Whether somebody without credentials may change something somewhere, which should be said in words off loopback. */
export function allowsAnonymousWrite(rules: readonly AccessRule[]): boolean {
  return rules.some(({ who, right }) => who.kind === "anyone" && includesRight(right, "write"));
}

/**
 * Reads whom a rule is about, as a configuration spells it: `anyone`, `users` or `user:NAME`.
 * @throws IdentityError `invalid`
 */
export function parseWho(text: string): Who {
  if (text === "anyone") return { kind: "anyone" };
  if (text === "users") return { kind: "user" };
  if (text.startsWith("user:")) return { kind: "named", name: parseUserName(text.slice("user:".length)) };
  throw new IdentityError(
    "invalid",
    `${JSON.stringify(text)} does not say whom a rule is about. ` +
      'Write "anyone", "users" (all who sign in), or "user:NAME" for one user.',
  );
}
