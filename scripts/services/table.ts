/** What the tests and benchmarks need beyond npm packages. A new service is a name and an entry. */
export type ServiceName = "git" | "git-lfs" | "git-lfs-newest" | "nginx" | "wrk" | "curl" | "rudolfs";

export interface Service {
  /** What needs it, for the table that `scripts/services.ts list` prints. */
  readonly purpose: string;
  readonly program: string;
  /** How the program tells its version, on standard output or standard error, whatever its exit code. */
  readonly version: { readonly args: readonly string[]; readonly pattern: RegExp };
  readonly source: Source;
  /** Whether a test that needs it may install it. Otherwise only `scripts/services.ts install NAME` does. */
  readonly automatic: boolean;
}

/** Where the program comes from. */
type Source =
  /** Packages of the operating system, by package client; found on PATH. */
  | { readonly kind: "system"; readonly packages: Readonly<Record<PackageClient, string>> }
  /** A Go program at a pinned version, built into the cache folder; one on PATH is another version and does not count. */
  | { readonly kind: "go"; readonly module: string; readonly version: string }
  /** Found on PATH, never installed from here. */
  | { readonly kind: "given"; readonly advice: string };

export type PackageClient = "apt-get" | "dnf" | "apk" | "brew";

const everywhere = (name: string): Readonly<Record<PackageClient, string>> => ({
  "apt-get": name,
  dnf: name,
  apk: name,
  brew: name,
});

export const services: Readonly<Record<ServiceName, Service>> = {
  git: {
    purpose: "every story under test/e2e",
    program: "git",
    version: { args: ["--version"], pattern: /git version (\S+)/ },
    source: { kind: "given", advice: "install git with your system's package manager" },
    automatic: false,
  },
  "git-lfs": {
    purpose: "the client most users have: the distribution's",
    program: "git-lfs",
    version: { args: ["version"], pattern: /git-lfs\/(\S+)/ },
    source: { kind: "system", packages: everywhere("git-lfs") },
    automatic: true,
  },
  "git-lfs-newest": {
    purpose: "the newest client",
    program: "git-lfs",
    version: { args: ["version"], pattern: /git-lfs\/(\S+)/ },
    source: { kind: "go", module: "github.com/git-lfs/git-lfs/v3", version: "v3.8.1" },
    automatic: true,
  },
  nginx: {
    purpose: "benchmarks: the floor for downloads",
    program: "nginx",
    version: { args: ["-v"], pattern: /nginx\/(\S+)/ },
    source: { kind: "system", packages: everywhere("nginx") },
    automatic: false,
  },
  wrk: {
    purpose: "benchmarks: load",
    program: "wrk",
    version: { args: ["-v"], pattern: /^wrk (?:\w+\/)?(\S+)/ },
    source: { kind: "system", packages: everywhere("wrk") },
    automatic: false,
  },
  curl: {
    purpose: "benchmarks: load",
    program: "curl",
    version: { args: ["--version"], pattern: /^curl (\S+)/ },
    source: { kind: "system", packages: everywhere("curl") },
    automatic: false,
  },
  rudolfs: {
    purpose: "benchmarks: a peer, where it is here",
    program: "rudolfs",
    version: { args: ["--version"], pattern: /^rudolfs (\S+)/ },
    source: { kind: "given", advice: "build it: cargo install rudolfs" },
    automatic: false,
  },
};

export const serviceNames: readonly ServiceName[] = Object.keys(services) as ServiceName[];
