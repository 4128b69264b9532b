import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort, ServerProcess } from "./server-process.ts";
import type { Stage } from "./stage.ts";

export const NGINX = "nginx, sendfile, one process";

/** Starts nginx with one worker that serves the files below a folder, as fast as it can. */
export async function startNginx(stage: Stage, root: string): Promise<ServerProcess> {
  const folder = await stage.folder("nginx");
  const port = await freePort();
  const file = join(folder, "nginx.conf");
  await mkdir(join(folder, "temporary"));
  await writeFile(file, configuration(folder, port, root));
  return ServerProcess.start(stage, {
    name: NGINX,
    program: stage.programs.nginx.path,
    args: ["-p", folder, "-e", join(folder, "log"), "-c", file],
    folder,
    ready: { port },
  });
}

function configuration(folder: string, port: number, root: string): string {
  // A worker of root's would otherwise become another user, who may not read the objects.
  const user = process.getuid?.() === 0 ? "user root;\n" : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `  ${name}_temp_path "${join(folder, "temporary", name)}";`)
    .join("\n");
  return `${user}daemon off;
worker_processes 1;
pid "${join(folder, "pid")}";
events { worker_connections 1024; }
http {
${temporary}
  default_type application/octet-stream;
  access_log off;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  server {
    listen 127.0.0.1:${port};
    root "${root}";
  }
}
`;
}
