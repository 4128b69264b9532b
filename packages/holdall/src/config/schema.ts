import { formatStoreUrl, parseEncryptionKey, parseKeyId, parseStoreUrl } from "@holdall/object-store";
import { parsePattern, parseWho, type Who } from "@holdall/identity";
import { Type } from "typebox";
import { formatListen, LISTEN_EXPECTED, parseListen, parseNetwork } from "./address.ts";
import { parsePublicUrl } from "./public-url.ts";
import { count, duration, flag, parsed, size, text, word } from "./values.ts";

const SECOND = 1000;
const HOUR = 3_600_000;
/** The longest that a timer of the platform waits; a longer one would fire at once. */
const LONGEST_TIMER = 24 * 24 * HOUR;

const accessRule = Type.Object(
  {
    who: parsed(
      { description: "anyone (credentials or not), users (all who sign in), or user:NAME." },
      parseWho,
      formatWho,
    ),
    repositories: parsed(
      { description: 'A repository name or a pattern: "*" within one segment, "**" for any number of segments.' },
      parsePattern,
      (pattern) => pattern.text,
    ),
    right: word(["read", "write", "admin"], { description: "Admin includes write, and write includes read." }),
  },
  { description: "One rule: who has which right in which repositories.", additionalProperties: false },
);

const TRANSFERS = ["proxy", "direct", "auto"] as const;

const MIB = 1024 ** 2;
/** S3 and Google take no smaller parts but the last; those that pass through the server are held in memory. */
const PART_SIZES = { minimum: 5 * MIB, maximum: 256 * MIB };

const transferRule = Type.Object(
  {
    repositories: parsed(
      { description: 'A repository name or a pattern: "*" within one segment, "**" for any number of segments.' },
      parsePattern,
      (pattern) => pattern.text,
    ),
    transfer: Type.Optional(word(TRANSFERS, { description: "As the key of that name." })),
    multipartThreshold: Type.Optional(size({ description: "As the key of that name.", minimum: 1 })),
    partSize: Type.Optional(size({ description: "As the key of that name.", ...PART_SIZES })),
  },
  { description: "One rule: how the bytes of which repositories go.", additionalProperties: false },
);

const encryptionKey = Type.Object(
  {
    id: parsed(
      {
        description:
          "What objects bear, so that their key is found again: up to 32 letters, digits, dots, hyphens, underscores.",
      },
      parseKeyId,
      (id) => id,
    ),
    key: parsed(
      { description: "32 random bytes in base64 or hexadecimal digits. Best named by a variable.", secret: true },
      parseEncryptionKey,
      (key) => key.export().toString("base64"),
    ),
  },
  { description: "One key.", additionalProperties: false },
);

/**
 * Every key of the configuration, as a file spells it. The order is the order of the documentation. Units after reading:
 * durations are milliseconds, sizes are bytes.
 */
export const configSchema = Type.Object(
  {
    data: text({
      description: "The folder that holds everything Holdall keeps: the database, the secret, and the default store.",
      default: "./holdall-data",
      path: true,
    }),
    listen: parsed(
      {
        description: "Where to listen: host:port. Port 0 takes any free port.",
        default: "127.0.0.1:8080",
        expected: LISTEN_EXPECTED,
      },
      parseListen,
      formatListen,
    ),
    publicUrl: Type.Optional(
      parsed(
        {
          description:
            "The address by which clients reach the server, when it is another than the one they send: an http or https URL, with a path if a proxy adds one.",
        },
        parsePublicUrl,
        (url) => url,
      ),
    ),
    trustedProxies: Type.Array(
      parsed({ description: "An IP address or a CIDR range." }, parseNetwork, (net) => net),
      {
        description:
          "The proxies in front of the server; X-Forwarded-* headers count only when one of them sends them.",
        default: [],
      },
    ),
    store: parsed(
      {
        description:
          "Where the objects are: file:///absolute/path, s3://bucket[/prefix], gs://bucket[/prefix], az://account/container[/prefix], or memory: for tests.",
        expected: "a store URL such as file:///srv/lfs or s3://bucket/prefix",
      },
      parseStoreUrl,
      formatStoreUrl,
    ),
    transfer: word(TRANSFERS, {
      description:
        "How the bytes of objects go: proxy, through the server; direct, between clients and a store that signs requests; auto, directly where that costs nothing more, which is every download, and the uploads to stores that check SHA-256 themselves.",
      default: "proxy",
    }),
    transferRules: Type.Array(transferRule, {
      description:
        "How the bytes of some repositories go, where that is otherwise than transfer, multipartThreshold and partSize say. The first rule that matches counts.",
      default: [],
    }),
    multipartThreshold: size({
      description:
        "Objects of this size and larger are sent in parts, and an upload that was interrupted goes on where it was, by clients that can do that: git-lfs with lfs.tustransfers, and those that speak multipart-basic.",
      default: "16MiB",
      minimum: 1,
    }),
    partSize: size({
      description:
        "The size of the parts. Larger where an object would otherwise have more parts than the store takes (10,000 on S3). Parts that pass through the server are held in its memory, up to four of an upload.",
      default: "8MiB",
      ...PART_SIZES,
    }),
    rehashLimit: size({
      description:
        "Up to this size, an object that was sent in parts, or directly to a store that does not check SHA-256, is read again and hashed before anybody sees it. The default is all of them. Of larger ones only the size is compared, and whoever may write somewhere can have other bytes taken for one.",
      default: "5TiB",
      minimum: 0,
    }),
    layout: word(["shared", "per-repository", "flat", "sharded"], {
      description:
        "How objects are named in the store: shared objects/aa/bb/<oid>, per-repository <repository>/<oid>, flat lfs/<oid>, sharded lfs/objects/aa/bb/<oid>.",
      default: "shared",
    }),
    encryption: Type.Object(
      {
        current: Type.Optional(
          parsed({ description: "The id of the key that new objects are encrypted with." }, parseKeyId, (id) => id),
        ),
        keys: Type.Array(encryptionKey, {
          description:
            "With keys, objects are encrypted before they reach the store, and all bytes go through the server. Objects can be read that are under any of the keys.",
          default: [],
        }),
      },
      { description: "Encryption of objects.", additionalProperties: false },
    ),
    cache: Type.Optional(
      Type.Object(
        {
          path: Type.Optional(
            text({
              description: "The folder of the cache, on a local disk. Without it: cache in the data folder.",
              path: true,
            }),
          ),
          size: size({
            description:
              "How much of the disk a cache of objects may take that is kept in front of a store in a cloud; without it there is none. With workers, each keeps an equal part. Objects of more than half a part are not kept.",
            minimum: 64 * MIB,
          }),
        },
        { description: "A cache on a local disk of what is in a store in a cloud.", additionalProperties: false },
      ),
    ),
    workers: count({
      description: "How many processes share the port.",
      minimum: 1,
      maximum: 64,
      default: 1,
    }),
    secret: Type.Optional(
      text({
        description:
          "Signs the links that clients transfer objects by. All servers behind one address need the same. Without it, Holdall makes a random one and keeps it in the data folder.",
        minLength: 32,
        expected: "at least 32 characters long",
        secret: true,
      }),
    ),
    createRepositories: flag({
      description: "Whether the first upload or lock by somebody who may write brings a repository into being.",
      default: true,
    }),
    access: Type.Array(accessRule, {
      description: "Who may do what. Rights add up; admins have all; an empty list gives nobody else any.",
    }),
    allowAnonymousWrite: flag({
      description: "Lets rules give anyone write access although other machines can reach the server.",
      default: false,
    }),
    limits: Type.Object(
      {
        jsonBody: size({
          description: "The largest JSON request body.",
          default: "4MiB",
          minimum: 1024,
        }),
        batchObjects: count({
          description: "The most objects in one batch request.",
          minimum: 1,
          maximum: 1000,
          default: 1000,
        }),
        headerBytes: size({
          description: "The total size of a request's headers, its URL among them.",
          default: "32KiB",
          minimum: 1024,
        }),
        urlBytes: size({
          description: "The longest request URL. Locks are looked up by URLs that hold their paths, percent-encoded.",
          default: "16KiB",
          minimum: 1024,
        }),
        idleTimeout: duration({
          description: "How long a connection may go without a byte in either direction while a request is under way.",
          default: "120s",
          minimum: SECOND,
          maximum: LONGEST_TIMER,
        }),
        headersTimeout: duration({
          description: "How long a request's headers may take to arrive.",
          default: "30s",
          minimum: SECOND,
          maximum: LONGEST_TIMER,
        }),
        keepAliveTimeout: duration({
          description:
            "How long a connection stays open between requests; at least 65s, longer than proxies keep theirs.",
          default: "75s",
          minimum: 65 * SECOND,
          maximum: LONGEST_TIMER,
        }),
        drainTimeout: duration({
          description: "How long transfers may go on after the server was told to stop.",
          default: "5m",
          maximum: LONGEST_TIMER,
        }),
        maxConnections: Type.Optional(
          count({
            description: "The most connections at once, in each process. Without it: as many as the system allows.",
            minimum: 1,
            maximum: 1_000_000,
          }),
        ),
      },
      { description: "What a client may ask for, and how long it may take.", additionalProperties: false },
    ),
    actionLifetime: duration({
      description: "How long the links in a batch answer work; at least 1h, because long transfers start late.",
      default: "1h",
      minimum: HOUR,
    }),
    log: Type.Object(
      {
        level: word(["fatal", "error", "warn", "info", "debug", "trace", "silent"], {
          description: "The least important messages that are written.",
          default: "info",
        }),
        format: word(["auto", "pretty", "json"], {
          description: "How log lines look. auto: pretty on a terminal, JSON otherwise. Logs go to standard error.",
          default: "auto",
        }),
      },
      { description: "What is logged.", additionalProperties: false },
    ),
  },
  { title: "Holdall", description: "The configuration of a Holdall server.", additionalProperties: false },
);

/** The configuration, read and complete. Durations are milliseconds, sizes are bytes, `data` is an absolute path. */
export type Config = Type.StaticDecode<typeof configSchema>;

/** The text that `parseWho` reads as this. */
export function formatWho(who: Who): string {
  switch (who.kind) {
    case "anyone":
      return "anyone";
    case "user":
      return "users";
    case "named":
      return `user:${who.name}`;
  }
}
