export { runAgent, type AgentOptions, type Connection, type Init } from "./agent.ts";
