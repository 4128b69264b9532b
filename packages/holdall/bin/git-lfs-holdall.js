#!/usr/bin/env node
import { start } from "./start.js";

start("git-lfs-holdall", () => import("../src/git/lfs-agent-main.ts"));
