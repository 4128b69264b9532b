import type { ObjectKey } from "../../key.ts";
import type {
  CallOptions,
  MultipartLimits,
  MultipartUploads,
  ObjectVersion,
  SignedRequest,
  UploadedPart,
} from "../../port.ts";

type Changing = <T>(key: ObjectKey, change: () => Promise<T>) => Promise<T>;

/** Uploads in parts, of which the one call that publishes an object goes by way of `changing`. */
export class DroppingUploads implements MultipartUploads {
  readonly #inner: MultipartUploads;
  readonly #changing: Changing;

  constructor(inner: MultipartUploads, changing: Changing) {
    this.#inner = inner;
    this.#changing = changing;
  }

  get limits(): MultipartLimits {
    return this.#inner.limits;
  }

  create(...args: Parameters<MultipartUploads["create"]>): Promise<string> {
    return this.#inner.create(...args);
  }

  putPart(...args: Parameters<MultipartUploads["putPart"]>): Promise<UploadedPart> {
    return this.#inner.putPart(...args);
  }

  presignPart(...args: Parameters<MultipartUploads["presignPart"]>): Promise<SignedRequest> {
    return this.#inner.presignPart(...args);
  }

  parts(key: ObjectKey, upload: string, o?: CallOptions): AsyncIterable<UploadedPart> {
    return this.#inner.parts(key, upload, o);
  }

  complete(key: ObjectKey, ...rest: Rest<MultipartUploads["complete"]>): Promise<ObjectVersion> {
    return this.#changing(key, () => this.#inner.complete(key, ...rest));
  }

  abort(...args: Parameters<MultipartUploads["abort"]>): Promise<void> {
    return this.#inner.abort(...args);
  }
}

type Rest<F extends (key: ObjectKey, ...rest: never[]) => unknown> =
  Parameters<F> extends [ObjectKey, ...infer R] ? R : never;
