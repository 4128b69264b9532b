import {
  Layer,
  openStore,
  RetryLayer,
  type CopyOptions,
  type ObjectKey,
  type ObjectStore,
  type ObjectVersion,
  type PutOptions,
  type StoreUrl,
} from "@holdall/object-store/open";
import { withConfiguredEncryption } from "./configured-encryption.ts";
import type { RemoteUrl } from "./remote-url.ts";

/**
 * Opens the store that a remote is in. Asks nothing of it yet. To be called before anything else looks for credentials.
 * @throws StorageError; GitError when git cannot say what is configured
 */
export async function openRemote({ store }: RemoteUrl): Promise<ObjectStore> {
  setProfile(store);
  const configured = store.kind === "s3" ? await withConfiguredEncryption(store) : undefined;
  return new RetryLayer(await openStore(configured ?? store));
}

/**
 * The same for programs that are started for every look at a store: git is asked what is configured when something is written, which
 * has to be by `put` or `copy`.
 * @throws StorageError
 */
export async function openRemoteToLook({ store }: RemoteUrl): Promise<ObjectStore> {
  setProfile(store);
  const opened = await openStore(store);
  return new RetryLayer(store.kind === "s3" ? new ConfiguredWhenWritten(opened, store) : opened);
}

/** A profile is more than its credentials: the SDK finds the endpoint that it names, too, only like this. */
function setProfile(store: StoreUrl): void {
  if (store.kind !== "s3" || store.profile === undefined) return;
  process.env["AWS_PROFILE"] = store.profile;
  // They would not count beside it, and the SDK would say so in eight lines.
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]) delete process.env[name];
}

class ConfiguredWhenWritten extends Layer {
  readonly #url: StoreUrl & { readonly kind: "s3" };
  #forWriting: Promise<ObjectStore> | undefined;

  constructor(inner: ObjectStore, url: StoreUrl & { readonly kind: "s3" }) {
    super(inner);
    this.#url = url;
  }

  override async put(key: ObjectKey, body: AsyncIterable<Uint8Array>, o: PutOptions): Promise<ObjectVersion> {
    return await (await this.#configured()).put(key, body, o);
  }

  override async copy(from: ObjectKey, to: ObjectKey, o?: CopyOptions): Promise<ObjectVersion> {
    return await (await this.#configured()).copy(from, to, o);
  }

  /** It would go past what is configured. */
  override get multipart(): undefined {
    return undefined;
  }

  override async close(): Promise<void> {
    await super.close();
    const forWriting = await this.#forWriting?.catch(() => undefined);
    if (forWriting !== this.inner) await forWriting?.close();
  }

  #configured(): Promise<ObjectStore> {
    this.#forWriting ??= withConfiguredEncryption(this.#url).then((url) =>
      url === undefined ? this.inner : openStore(url),
    );
    return this.#forWriting;
  }
}
