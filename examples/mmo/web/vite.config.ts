import preact from "@preact/preset-vite";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const local = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  plugins: [preact()],
  resolve: { alias: { "@troupe/client": local("../../../clients/ts/src/index.ts") } },
  // The policy of the page allows no data: scripts or styles.
  build: { target: "es2022", assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: { fs: { allow: [local("../../..")] }, proxy: { "/login": "http://127.0.0.1:8080", "/api": "http://127.0.0.1:8080" } },
});
