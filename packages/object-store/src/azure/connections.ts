import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { RequestPolicy, RequestPolicyFactory } from "@azure/storage-blob";

/**
 * The connections of one store, kept for its next requests. Those that the SDK keeps are the whole process's and cannot
 * be closed.
 */
export class Connections implements RequestPolicyFactory {
  readonly #agent: HttpAgent | HttpsAgent;

  constructor(endpoint: string) {
    this.#agent = endpoint.startsWith("https:")
      ? new HttpsAgent({ keepAlive: true })
      : new HttpAgent({ keepAlive: true });
  }

  /** Called by the SDK for each request. */
  create(next: RequestPolicy): RequestPolicy {
    return {
      sendRequest: (request) => {
        // Where the environment names a proxy, the SDK has put in an agent that goes there.
        request.agent ??= this.#agent;
        return next.sendRequest(request);
      },
    };
  }

  close(): void {
    this.#agent.destroy();
  }
}
