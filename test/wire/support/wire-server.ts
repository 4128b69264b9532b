import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { Access, ActionTokens, Authenticator, parsePattern, parseWho, type AccessRule } from "@holdall/identity";
import { LfsServer, type LfsServerLimits } from "@holdall/lfs-http";
import { objectPath, type Layout } from "@holdall/lfs-protocol";
import { LfsService, type LfsEvent, type TransferPolicy } from "@holdall/lfs-service";
import { openSqlite, type Metadata, type Right } from "@holdall/metadata";
import { FsStore, MemoryStore, parseKey, VerifyLayer, type ObjectKey, type ObjectStore } from "@holdall/object-store";
import { pino } from "pino";
import { sha256 } from "../../support/content.ts";
import { LfsUser } from "../../support/lfs-user.ts";
import { oidNamed, repositoryNamed } from "../../support/names.ts";
import { TemporaryFolder } from "../../support/temporary-folder.ts";

/** Who (as a configuration spells it), which repositories, which right. */
export type Rule = readonly [who: string, repositories: string, right: Right];

export interface WireServerOptions {
  /** Anyone may write everywhere unless given. */
  readonly rules?: readonly Rule[];
  /** Users by name, each with {@link passwordOf}; those named here may do everything. */
  readonly users?: readonly string[];
  readonly admins?: readonly string[];
  readonly limits?: Partial<LfsServerLimits>;
  /** Where objects go; `fs` is a folder of the server's own. Memory unless given. */
  readonly store?: ObjectStore | "fs";
  /** Around the store, below the check of digests. */
  readonly layer?: (store: ObjectStore) => ObjectStore;
  readonly layout?: Layout;
  readonly publicUrl?: string;
  readonly trustedProxies?: readonly string[];
  readonly createRepositories?: boolean;
  readonly maxBatchObjects?: number;
  /** Of all repositories. */
  readonly transferPolicy?: TransferPolicy;
}

const LIMITS: LfsServerLimits = {
  jsonBody: 4 * 1024 * 1024,
  headerBytes: 32 * 1024,
  urlBytes: 16 * 1024,
  idleTimeout: 120_000,
  headersTimeout: 30_000,
  keepAliveTimeout: 75_000,
};

/** Long enough that no test waits for it, whole seconds as in an answer. */
const ACTION_LIFETIME = 3600;

/** The server below the real client: every part is the real one, in this process, on a free port. */
export class WireServer implements AsyncDisposable {
  readonly server: LfsServer;
  readonly port: number;
  /** What has been stored, without the layers around it. */
  readonly store: ObjectStore;
  readonly metadata: Metadata;
  readonly actionTokens: ActionTokens;
  readonly events: readonly LfsEvent[];
  /** Lines of JSON. */
  readonly log: readonly string[];
  readonly #folder: TemporaryFolder;

  private constructor(o: {
    server: LfsServer;
    port: number;
    store: ObjectStore;
    metadata: Metadata;
    actionTokens: ActionTokens;
    events: readonly LfsEvent[];
    log: readonly string[];
    folder: TemporaryFolder;
  }) {
    this.server = o.server;
    this.port = o.port;
    this.store = o.store;
    this.metadata = o.metadata;
    this.actionTokens = o.actionTokens;
    this.events = o.events;
    this.log = o.log;
    this.#folder = o.folder;
  }

  static async start(o: WireServerOptions = {}): Promise<WireServer> {
    const folder = await TemporaryFolder.create("wire");
    const metadata = await openSqlite({ file: join(folder.path, "holdall.db") });
    for (const name of o.users ?? []) await metadata.users.add({ name, passwordHash: passwordOf(name), admin: false });
    for (const name of o.admins ?? []) await metadata.users.add({ name, passwordHash: passwordOf(name), admin: true });

    const store = o.store === "fs" ? new FsStore(join(folder.path, "objects")) : (o.store ?? new MemoryStore());
    const actionTokens = new ActionTokens({ secret: randomBytes(32) });
    const events: LfsEvent[] = [];
    const log: string[] = [];
    const { transferPolicy } = o;
    const service = new LfsService({
      ...(transferPolicy === undefined ? {} : { transferPolicy: () => transferPolicy }),
      store: new VerifyLayer(o.layer === undefined ? store : o.layer(store)),
      layout: o.layout ?? "shared",
      metadata,
      access: new Access((o.rules ?? [["anyone", "**", "write"]]).map(accessRule)),
      actionTokens,
      createRepositories: o.createRepositories ?? true,
      actionLifetime: ACTION_LIFETIME,
      maxBatchObjects: o.maxBatchObjects ?? 1000,
      onEvent: (event) => events.push(event),
    });
    const server = new LfsServer({
      service,
      // The hashing of passwords has its own tests; here it would only be slow.
      authenticator: new Authenticator({
        users: metadata.users,
        tokens: metadata.tokens,
        checkPassword: async (password, stored) => password === stored,
      }),
      logger: pino({ level: "trace" }, linesInto(log)),
      limits: { ...LIMITS, ...o.limits },
      trustedProxies: o.trustedProxies ?? [],
      ...(o.publicUrl === undefined ? {} : { publicUrl: o.publicUrl }),
    });
    const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
    return new WireServer({ server, port, store, metadata, actionTokens, events, log, folder });
  }

  /** Everything that this server has on disk is in here. */
  get folder(): string {
    return this.#folder.path;
  }

  /** Someone at a client; nobody in particular without a name. */
  as(name?: string): LfsUser {
    return new LfsUser(this.port, name === undefined ? undefined : `${name}:${passwordOf(name)}`);
  }

  /** Puts an object where an upload would leave it, without one. @returns the oid */
  async place(repository: string, bytes: Uint8Array): Promise<string> {
    const oid = oidNamed(sha256(bytes));
    const name = repositoryNamed(repository);
    const size = bytes.length;
    await this.store.put(parseKey(objectPath("shared", name, oid)), Readable.from([bytes]), { size });
    const { id } = await this.metadata.repositories.ensure(name);
    await this.metadata.objects.link(id, { oid, size });
    return oid;
  }

  /** Where an object that is stored is in the store. */
  async keyOf(oid: string): Promise<ObjectKey> {
    const key = (await this.stored()).find((each) => each.endsWith(oid));
    assert.ok(key !== undefined, `${oid} is stored`);
    return parseKey(key);
  }

  /** Puts these bytes in the place of those that are stored. */
  async damage(oid: string, bytes: Uint8Array): Promise<void> {
    await this.store.put(await this.keyOf(oid), Readable.from([bytes]), { size: bytes.length });
  }

  /** The keys of all that is stored. */
  async stored(): Promise<string[]> {
    const keys: string[] = [];
    for await (const { key } of this.store.list("")) keys.push(key);
    return keys;
  }

  /** Every file that this server has on disk, by its path, but for the database and for locks between processes. */
  async files(): Promise<string[]> {
    const entries = await readdir(this.folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(this.folder.length + 1))
      .filter((name) => !name.startsWith("holdall.db") && !name.endsWith(".lock"))
      .sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.drain(0);
    await this.metadata.close();
    await this.store.close();
    await this.#folder[Symbol.asyncDispose]();
  }
}

export function passwordOf(name: string): string {
  return `password of ${name}`;
}

function accessRule([who, repositories, right]: Rule): AccessRule {
  return { who: parseWho(who), repositories: parsePattern(repositories), right };
}

function linesInto(lines: string[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
}
