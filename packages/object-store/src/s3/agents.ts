import type { Agent as HttpAgent, AgentOptions } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import { Socket } from "node:net";
import { getBuiltinModule } from "node:process";

// Imported, node:http would load all that it exports, a WebSocket too: more than half of what it takes to open a store.
const [http, https] = [getBuiltinModule("node:http"), getBuiltinModule("node:https")];

/** As many connections as one store is asked over at a time; more requests wait for one. */
const CONNECTIONS = 256;

export interface Agents {
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
}

/**
 * Agents that keep connections for the next request, and break off one on which nothing has moved for `idle`
 * milliseconds, unless it is this side that does not read.
 */
export function agents(idle: number): Agents {
  return { httpAgent: new PlainAgent(idle), httpsAgent: new TlsAgent(idle) };
}

// Idle time is set on the sockets rather than by the SDK, whose time-outs cannot tell a store that sends nothing from a
// consumer that takes nothing.
const optionsFor = (idle: number): AgentOptions => ({ keepAlive: true, maxSockets: CONNECTIONS, timeout: idle });

class PlainAgent extends http.Agent {
  readonly #idle: number;

  constructor(idle: number) {
    super(optionsFor(idle));
    this.#idle = idle;
  }

  override createConnection(...args: Parameters<HttpAgent["createConnection"]>): Connection {
    return watched(super.createConnection(...args), this.#idle);
  }

  override reuseSocket(...args: Parameters<HttpAgent["reuseSocket"]>): void {
    super.reuseSocket(...args);
    restart(args[0], this.#idle);
  }
}

class TlsAgent extends https.Agent {
  readonly #idle: number;

  constructor(idle: number) {
    super(optionsFor(idle));
    this.#idle = idle;
  }

  override createConnection(...args: Parameters<HttpsAgent["createConnection"]>): Connection {
    return watched(super.createConnection(...args), this.#idle);
  }

  override reuseSocket(...args: Parameters<HttpsAgent["reuseSocket"]>): void {
    super.reuseSocket(...args);
    restart(args[0], this.#idle);
  }
}

type Connection = ReturnType<HttpAgent["createConnection"]>;

function watched(connection: Connection, idle: number): Connection {
  if (connection instanceof Socket) {
    connection.on("timeout", () => {
      if (connection.isPaused()) return;
      // Not ETIMEDOUT, at which the SDK would begin again: nobody waits that long for the same thing twice.
      const error = new Error(`nothing came or went for ${idle / 1000} seconds`);
      connection.destroy(Object.assign(error, { code: "STOOD_STILL" }));
    });
    connection.on("resume", () => connection.setTimeout(idle));
  }
  return connection;
}

/** While it was kept, it had the time-out that the store names in `Keep-Alive`. */
function restart(connection: Connection, idle: number): void {
  if (connection instanceof Socket) connection.setTimeout(idle);
}
