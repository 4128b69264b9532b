import type { Token, Tokens, User, Users } from "@holdall/metadata";

/** What the database keeps about users and tokens, in two maps. */
export class InMemoryAccounts {
  readonly users: Pick<Users, "find">;
  readonly tokens: Pick<Tokens, "add" | "findByHash">;
  readonly #users = new Map<string, User>();
  readonly #tokens = new Map<string, Token>();

  constructor() {
    this.users = { find: async (name) => this.#users.get(name) };
    this.tokens = {
      add: async ({ hash, user: name, ...token }) => {
        const user = this.#users.get(name);
        if (user === undefined) throw new Error(`no user ${name}`);
        const kept = { ...token, user, createdAt: new Date() };
        this.#tokens.set(hex(hash), kept);
        return kept;
      },
      findByHash: async (hash) => this.#tokens.get(hex(hash)),
    };
  }

  setUser(user: { name: string; passwordHash?: string; admin?: boolean }): void {
    this.#users.set(user.name, { id: this.#users.size + 1, admin: false, createdAt: new Date(), ...user });
  }

  removeUser(name: string): void {
    this.#users.delete(name);
    for (const [hash, token] of this.#tokens) if (token.user.name === name) this.#tokens.delete(hash);
  }
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
