import { StorageError } from "../errors.ts";
import { parseKey } from "../key.ts";

/** A bucket of Google Cloud Storage, or the part of it below a prefix. */
export interface GcsLocation {
  readonly kind: "gs";
  readonly bucket: string;
  /** Whole segments, without a slash at either end. */
  readonly prefix?: string;
  /** Origin of the API; Google's own when left out. Plain http on this machine is an emulator, which asks for no credentials. */
  readonly endpoint?: string;
  /** Origin that presigned URLs lead to, where clients reach the store otherwise than the server does. */
  readonly publicEndpoint?: string;
  /** Project that pays for the requests, as buckets with `requester pays` demand. */
  readonly project?: string;
  /** Service account in whose name URLs are signed, through IAM, where the credentials have no key of their own. */
  readonly signer?: string;
  /** Of new objects; the bucket's default when left out. */
  readonly storageClass?: GcsStorageClass;
}

type GcsStorageClass = (typeof STORAGE_CLASSES)[number];

const STORAGE_CLASSES = ["STANDARD", "NEARLINE", "COLDLINE", "ARCHIVE"] as const;
const PARAMETERS = ["endpoint", "publicEndpoint", "project", "signer", "storageClass"] as const;

type Parameter = (typeof PARAMETERS)[number];

/**
 * Reads `gs://bucket[/prefix][?endpoint=&publicEndpoint=&project=&signer=&storageClass=]`.
 * @throws StorageError `invalid` that quotes the text and says what is wrong with it
 */
export function parseGcsUrl(text: string): GcsLocation {
  const refuse = (what: string, cause?: unknown): StorageError =>
    new StorageError("invalid", `${JSON.stringify(text)} is not a store URL: ${what}`, { cause });
  // Not by the class URL, which resolves `..` in silence.
  const match = /^gs:\/\/([^/?#]*)(?:\/([^?#]*))?(?:\?([^#]*))?$/i.exec(text);
  if (match === null) throw refuse("write gs://bucket, gs://bucket/prefix, and parameters after a question mark");
  const [, bucket = "", path = "", query = ""] = match;
  if (!isBucketName(bucket)) {
    throw refuse(
      `${JSON.stringify(bucket)} is not the name of a bucket, which has 3 to 63 lower-case letters, digits, dashes, ` +
        `underscores and dots, with a letter or digit at either end`,
    );
  }
  return { kind: "gs", bucket, ...parsePrefix(path, refuse), ...parseParameters(query, refuse) };
}

/** The text that {@link parseGcsUrl} reads as this location. */
export function formatGcsUrl(location: GcsLocation): string {
  const path = (location.prefix ?? "").split("/").map(encodeURIComponent).join("/");
  const query = new URLSearchParams();
  for (const name of PARAMETERS) {
    const value = location[name];
    if (value !== undefined) query.set(name, value);
  }
  return `gs://${location.bucket}${path === "" ? "" : `/${path}`}${query.size === 0 ? "" : `?${query.toString()}`}`;
}

type Refuse = (what: string, cause?: unknown) => StorageError;

/** https://cloud.google.com/storage/docs/buckets#naming, but for the words that only Google may use. */
function isBucketName(text: string): boolean {
  if (text.length < 3 || text.length > 222 || /^\d+\.\d+\.\d+\.\d+$/.test(text)) return false;
  return text.split(".").every((part) => part.length <= 63 && /^[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?$/.test(part));
}

function parsePrefix(path: string, refuse: Refuse): { prefix?: string } {
  const text = path.replace(/\/$/, "");
  if (text === "") return {};
  try {
    return { prefix: parseKey(decodeURIComponent(text)) };
  } catch (cause) {
    const why = cause instanceof StorageError ? cause.message : "a percent sign begins no percent-encoded character";
    throw refuse(`its prefix: ${why}`, cause);
  }
}

function parseParameters(query: string, refuse: Refuse): Partial<GcsLocation> {
  const given: Partial<Record<Parameter, string>> = {};
  for (const [name, value] of new URLSearchParams(query)) {
    if (!isParameter(name)) {
      throw refuse(`there is no parameter ${JSON.stringify(name)}; there are ${PARAMETERS.join(", ")}`);
    }
    if (name in given) throw refuse(`${name} is given twice`);
    given[name] = value;
  }
  const { endpoint, publicEndpoint, project, signer, storageClass } = given;
  return {
    ...(endpoint === undefined ? {} : { endpoint: parseOrigin("endpoint", endpoint, refuse) }),
    ...(publicEndpoint === undefined ? {} : { publicEndpoint: parseOrigin("publicEndpoint", publicEndpoint, refuse) }),
    ...(project === undefined ? {} : { project: parseProject(project, refuse) }),
    ...(signer === undefined ? {} : { signer: parseSigner(signer, refuse) }),
    ...(storageClass === undefined ? {} : { storageClass: parseStorageClass(storageClass, refuse) }),
  };
}

function isParameter(name: string): name is Parameter {
  return PARAMETERS.some((parameter) => parameter === name);
}

function parseOrigin(name: Parameter, value: string, refuse: Refuse): string {
  const url = URL.parse(value);
  const isOrigin = url !== null && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/`;
  if (!isOrigin) throw refuse(`${name} is https://host or http://host:port, without a path`);
  return url.origin;
}

function parseProject(value: string, refuse: Refuse): string {
  if (!/^[a-z0-9](?:[a-z0-9.:-]*[a-z0-9])?$/.test(value)) throw refuse("project is the id or number of a project");
  return value;
}

function parseSigner(value: string, refuse: Refuse): string {
  if (!/^[\w.-]+@[\w-]+(?:\.[\w-]+)+$/.test(value)) {
    throw refuse("signer is the email address of a service account, as in name@project.iam.gserviceaccount.com");
  }
  return value;
}

function parseStorageClass(value: string, refuse: Refuse): GcsStorageClass {
  const found = STORAGE_CLASSES.find((name) => name === value);
  if (found === undefined) throw refuse(`storageClass is one of ${STORAGE_CLASSES.join(", ")}`);
  return found;
}
