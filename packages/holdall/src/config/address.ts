import { BlockList, isIP } from "node:net";
import { ValueError } from "./errors.ts";

/** Where to listen. `host` is a name or an IP address, IPv6 without brackets; port 0 takes any free one. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export const LISTEN_EXPECTED: string = "host:port such as 127.0.0.1:8080, 0.0.0.0:8080 or [::1]:8080";

/**
 * Reads `host:port` or `[IPv6]:port`.
 * @throws ValueError
 */
export function parseListen(text: string): ListenAddress {
  const [, ipv6, name, digits] = /^(?:\[([^\]]*)\]|([^:[\]/\s]+)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = ipv6 ?? name;
  const port = Number(digits);
  if (host === undefined || port > 65_535 || (ipv6 !== undefined && isIP(ipv6) !== 6)) {
    throw new ValueError(`must be ${LISTEN_EXPECTED}, not ${JSON.stringify(text)}`);
  }
  return { host, port };
}

/** The text that {@link parseListen} reads as this address. */
export function formatListen({ host, port }: ListenAddress): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
}

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether only this machine reaches the host. IPv6 with or without brackets. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  const version = isIP(bare);
  if (version === 0) return bare === "localhost" || bare.endsWith(".localhost");
  return loopback.check(bare, version === 6 ? "ipv6" : "ipv4");
}

/**
 * Returns an IP address or a CIDR range as it is.
 * @throws ValueError for anything else
 */
export function parseNetwork(text: string): string {
  const [address = "", bits, ...rest] = text.split("/");
  const version = isIP(address);
  const whole = bits === undefined || (/^[0-9]{1,3}$/.test(bits) && Number(bits) <= (version === 6 ? 128 : 32));
  if (version === 0 || !whole || rest.length > 0) {
    throw new ValueError(`must be an IP address or range such as 10.0.0.7 or 10.0.0.0/8, not ${JSON.stringify(text)}`);
  }
  return text;
}
