import type { Right } from "@holdall/metadata";

/** Whoever asks, once it is known who that is. Made only by an authenticator; nothing a client sends names it. */
export interface Principal {
  /** `anonymous` is whoever sent no credentials at all; wrong credentials make no principal. */
  readonly kind: "anonymous" | "user";
  /** Shown to others as the owner of locks, and written to logs. */
  readonly name: string;
  /** May do everything everywhere, within {@link scope}. */
  readonly admin: boolean;
  /** Set by a token: the most it may do, and where, whatever its user may do. */
  readonly scope?: { readonly right: Right; readonly repositories: readonly string[] };
}

export const ANONYMOUS: Principal = { kind: "anonymous", name: "anonymous", admin: false };
