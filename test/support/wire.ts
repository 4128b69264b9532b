const MEDIA_TYPE = "application/vnd.git-lfs+json";

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

/** Speaks the LFS API without a git-lfs in between, for what its messages do not show. */
export class Wire {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;

  /** @param credentials `user:password`; anonymous without */
  constructor(lfsUrl: string, credentials?: string) {
    this.#url = lfsUrl;
    this.#headers =
      credentials === undefined ? {} : { Authorization: `Basic ${Buffer.from(credentials).toString("base64")}` };
  }

  /** @param path below the LFS address, such as `objects/batch` */
  post(path: string, body: unknown): Promise<Answer> {
    return this.#request(path, {
      method: "POST",
      headers: { ...this.#headers, Accept: MEDIA_TYPE, "Content-Type": MEDIA_TYPE },
      body: JSON.stringify(body),
    });
  }

  get(path: string): Promise<Answer> {
    return this.#request(path, { headers: { ...this.#headers, Accept: MEDIA_TYPE } });
  }

  batch(operation: "upload" | "download", objects: readonly { oid: string; size: number }[]): Promise<Answer> {
    return this.post("objects/batch", { operation, transfers: ["basic"], objects, hash_algo: "sha256" });
  }

  async #request(path: string, init: RequestInit): Promise<Answer> {
    const response = await fetch(`${this.#url}/${path}`, init);
    return { status: response.status, headers: response.headers, body: await response.json() };
  }
}
