import type { Tokens, Users } from "@holdall/metadata";
import { parseAuthorization } from "./authorization.ts";
import { IdentityError } from "./errors.ts";
import { DEFAULT_PASSWORD_CHECK_LIMITS, PasswordChecks, type PasswordCheckLimits } from "./password-checks.ts";
import { checkPassword, decoyPasswordHash } from "./password.ts";
import { ANONYMOUS, type Principal } from "./principal.ts";
import { RepeatedRefusals } from "./repeated-refusals.ts";
import { hashTokenSecret, isTokenSecret, TOKEN_PREFIX } from "./token-secret.ts";
import { isUserName } from "./user-name.ts";

export interface AuthenticatorOptions {
  readonly users: Pick<Users, "find">;
  readonly tokens: Pick<Tokens, "findByHash">;
  /** Milliseconds since 1970; `Date.now` by default. */
  readonly clock?: () => number;
  /** Those left out are {@link DEFAULT_PASSWORD_CHECK_LIMITS}. */
  readonly limits?: Partial<PasswordCheckLimits>;
  /** The slow comparison of a password with a stored hash; `checkPassword` by default. */
  readonly checkPassword?: (password: string, stored: string) => Promise<boolean>;
}

/** Turns the `Authorization` header of a request into the principal behind it. */
export class Authenticator {
  readonly #users: Pick<Users, "find">;
  readonly #tokens: Pick<Tokens, "findByHash">;
  readonly #clock: () => number;
  readonly #passwords: PasswordChecks;
  readonly #refusals: RepeatedRefusals;
  readonly #decoy = decoyPasswordHash();

  constructor(o: AuthenticatorOptions) {
    this.#users = o.users;
    this.#tokens = o.tokens;
    this.#clock = o.clock ?? Date.now;
    this.#refusals = new RepeatedRefusals(this.#clock);
    this.#passwords = new PasswordChecks({
      check: o.checkPassword ?? checkPassword,
      clock: this.#clock,
      limits: { ...DEFAULT_PASSWORD_CHECK_LIMITS, ...o.limits },
    });
  }

  /**
   * No header is {@link ANONYMOUS}. `Basic` (RFC 7617) carries a user name and that user's password, or any user name and
   * an API token in the password's place; `Bearer` (RFC 6750) carries an API token. Users and tokens are looked up each
   * time, so what is removed or changed stops working at once. How long it takes does not tell whether a user exists.
   * @throws IdentityError `invalid-credentials` for anything else, whatever was wrong
   * @throws IdentityError `refused-credentials` when the same wrong credentials come again and again
   * @throws IdentityError `throttled` after too many failures for a user name, or when too many checks are waiting
   * @throws IdentityError `invalid` when the user's stored password hash is damaged
   * @throws MetadataError when users or tokens cannot be read
   */
  async authenticate(authorization: string | undefined): Promise<Principal> {
    if (authorization === undefined) return ANONYMOUS;
    const principal = await this.#byCredentials(authorization);
    if (principal !== undefined) return principal;
    throw this.#refusals.isHopeless(authorization) ? refusedCredentials() : invalidCredentials();
  }

  /** Undefined when they are wrong, whatever about them is. */
  async #byCredentials(authorization: string): Promise<Principal | undefined> {
    const credentials = parseAuthorization(authorization);
    if (credentials === undefined) return undefined;
    if (credentials.scheme === "bearer") return await this.#byToken(credentials.token);
    const { user, password } = credentials;
    // No password begins so, which spares a mistyped token the slow check.
    return password.startsWith(TOKEN_PREFIX) ? await this.#byToken(password) : await this.#byPassword(user, password);
  }

  async #byToken(secret: string): Promise<Principal | undefined> {
    const token = isTokenSecret(secret) ? await this.#tokens.findByHash(hashTokenSecret(secret)) : undefined;
    if (token === undefined) return undefined;
    // Asked this way round, a damaged date, which compares with nothing, has expired.
    if (token.expiresAt !== undefined && !(this.#clock() < token.expiresAt.getTime())) return undefined;
    const { user, right, repositories } = token;
    return { kind: "user", name: user.name, admin: user.admin, scope: { right, repositories } };
  }

  async #byPassword(name: string, password: string): Promise<Principal | undefined> {
    // Anyone can tell from the name alone that no user has it, so there is nothing to hide by a slow check.
    if (!isUserName(name)) return undefined;
    const user = await this.#users.find(name);
    const correct = await this.#passwords.matches(name, password, user?.passwordHash ?? this.#decoy);
    if (user === undefined || !correct) return undefined;
    return { kind: "user", name: user.name, admin: user.admin };
  }
}

function invalidCredentials(): IdentityError {
  return new IdentityError(
    "invalid-credentials",
    "The credentials are wrong or have expired. Sign in with a user name and password, or with an API token as the password.",
  );
}

function refusedCredentials(): IdentityError {
  return new IdentityError(
    "refused-credentials",
    "The same wrong credentials have come several times. Correct what your credential helper or URL holds, then try again.",
  );
}
