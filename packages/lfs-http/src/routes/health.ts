import type { FastifyPluginCallback } from "fastify";

export interface HealthContext {
  /** @throws when something that requests need does not answer */
  readonly ready: () => Promise<void>;
  readonly isDraining: () => boolean;
}

/** `/healthz`: the process serves; restart it when not. `/readyz`: it can do work; send it none when not. */
export const healthRoutes: FastifyPluginCallback<HealthContext> = (app, context, done) => {
  app.get("/healthz", async (_request, reply) => reply.send({ status: "ok" }));

  app.get("/readyz", async (request, reply) => {
    if (context.isDraining()) return reply.code(503).send({ status: "draining" });
    try {
      await context.ready();
    } catch (error) {
      request.exchange.logError(error, "not ready");
      return reply.code(503).send({ status: "unavailable" });
    }
    return reply.send({ status: "ready" });
  });
  done();
};
