/** What the tests and benchmarks need beyond npm packages. A new service is a name and an entry. */
export type ServiceName =
  | "git"
  | "git-oldest"
  | "git-newest"
  | "git-lfs"
  | "git-lfs-newest"
  | "strace"
  | "nginx"
  | "wrk"
  | "curl"
  | "lfs-test-server"
  | "rudolfs"
  | "versitygw"
  | "fake-gcs-server"
  | "azurite"
  | "git-remote-s3"
  | "git-remote-s3-old";

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
  | { readonly kind: "system"; readonly packages: SystemPackages }
  /** Built at this version into the cache folder, by a tool that is installed too where it is missing. */
  | BuiltSource
  /** Found on PATH, never installed from here. */
  | { readonly kind: "given"; readonly advice: string };

export interface BuiltSource {
  readonly kind: "built";
  readonly with: "go" | "cargo" | "npm" | "python3" | "sh";
  /** The Go module, the crate, or the npm or Python package; for a shell, what its script knows. */
  readonly package: string;
  readonly version: string;
  /** Whether one on PATH, which may have any version, does as well. */
  readonly onPath: boolean;
}

export type PackageClient = "apt-get" | "dnf" | "apk" | "brew";

/** What a package is called by each package client. */
export type SystemPackages = Readonly<Record<PackageClient, string>>;

/** git-remote-s3 tells no version: the Python that it is installed for is asked, which runs it too. */
const gitRemoteS3 = (version: string): Pick<Service, "program" | "version" | "source" | "automatic"> => ({
  program: "python",
  version: {
    args: ["-c", "from importlib.metadata import version; print('git-remote-s3', version('git-remote-s3'))"],
    pattern: /^git-remote-s3 (\S+)/m,
  },
  source: { kind: "built", with: "python3", package: "git-remote-s3", version, onPath: false },
  automatic: true,
});

const debianGit = (version: string): Pick<Service, "program" | "version" | "source" | "automatic"> => ({
  program: "git",
  version: { args: ["--version"], pattern: /git version (\S+)/ },
  source: { kind: "built", with: "sh", package: "git", version, onPath: false },
  automatic: true,
});

const everywhere = (name: string): SystemPackages => ({
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
  "git-oldest": { purpose: "the stories of git remotes, with the oldest", ...debianGit("2.30.2") },
  "git-newest": { purpose: "the same with a new one", ...debianGit("2.47.3") },
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
    source: { kind: "built", with: "go", package: "github.com/git-lfs/git-lfs/v3", version: "v3.8.1", onPath: false },
    automatic: true,
  },
  strace: {
    purpose: "the story that an upload is on the disk before it is acknowledged",
    program: "strace",
    version: { args: ["--version"], pattern: /^strace -- version (\S+)/ },
    source: { kind: "system", packages: everywhere("strace") },
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
  "lfs-test-server": {
    purpose: "benchmarks: a peer, where it is here",
    program: "lfs-test-server",
    version: { args: ["-v"], pattern: /^(\d+\.\d+\.\d+)$/m },
    source: {
      kind: "built",
      with: "go",
      package: "github.com/git-lfs/lfs-test-server",
      version: "v0.4.0",
      onPath: true,
    },
    automatic: false,
  },
  rudolfs: {
    purpose: "benchmarks: a peer, where it is here",
    program: "rudolfs",
    version: { args: ["--version"], pattern: /^rudolfs (\S+)/ },
    source: { kind: "built", with: "cargo", package: "rudolfs", version: "0.3.8", onPath: true },
    automatic: false,
  },
  versitygw: {
    purpose: "an S3 server",
    program: "versitygw",
    version: { args: ["--version"], pattern: /^Version\s*:\s*(\S+)/m },
    source: {
      kind: "built",
      with: "go",
      package: "github.com/versity/versitygw/cmd/versitygw",
      version: "v1.8.0",
      onPath: true,
    },
    automatic: true,
  },
  "fake-gcs-server": {
    purpose: "a Google Cloud Storage server",
    program: "fake-gcs-server",
    version: { args: ["-help"], pattern: /^Usage of (?:\S*\/)?(fake-gcs-server)/m },
    source: {
      kind: "built",
      with: "go",
      package: "github.com/fsouza/fake-gcs-server",
      version: "v1.56.1",
      onPath: true,
    },
    automatic: true,
  },
  azurite: {
    purpose: "an Azure Blob Storage server",
    program: "azurite-blob",
    version: { args: ["--version"], pattern: /^(\d+\.\d+\.\d+)$/m },
    source: { kind: "built", with: "npm", package: "azurite", version: "3.36.0", onPath: true },
    automatic: true,
  },
  "git-remote-s3": { purpose: "the stories of people who move over from it: its newest", ...gitRemoteS3("0.4.2") },
  "git-remote-s3-old": { purpose: "the same: one from before it had locks", ...gitRemoteS3("0.1.20") },
};

export const serviceNames: readonly ServiceName[] = Object.keys(services) as ServiceName[];
