// Builds the dashboard's static files: `node build.mjs <folder>`. Hashed names, compressed, listed in manifest.json.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";

import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const packages = createRequire(join(here, "package.json"));
const out = resolve(process.argv[2] ?? "dist");
const manifest = {};

rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
await scripts();
styles();
icons();
for (const name of readdirSync(join(here, "images"))) keep(name, readFileSync(join(here, "images", name)));
for (const name of readdirSync(out)) compress(name);
writeFileSync(join(out, "manifest.json"), JSON.stringify(manifest, null, 1));

async function scripts() {
  const pages = readdirSync(join(here, "js", "pages")).map((name) => join(here, "js", "pages", name));
  const { metafile } = await build({
    entryPoints: [join(here, "js", "app.js"), ...pages],
    outdir: out,
    entryNames: "[name]-[hash]",
    chunkNames: "shared-[hash]",
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    minify: true,
    metafile: true,
    legalComments: "none",
    logLevel: "warning",
  });
  for (const [file, { entryPoint }] of Object.entries(metafile.outputs))
    if (entryPoint) manifest[basename(entryPoint)] = basename(file);
}

function styles() {
  const target = join(out, "unnamed.css");
  const cli = join(dirname(packages.resolve("@tailwindcss/cli/package.json")), "dist", "index.mjs");
  const argv = [cli, "--input", join(here, "css", "app.css"), "--output", target, "--minify"];
  execFileSync(process.execPath, argv, { cwd: here, stdio: ["ignore", "ignore", "inherit"] });
  const css = readFileSync(target);
  rmSync(target);
  keep("app.css", css);
}

// One file with those of Lucide's icons that we use; a page refers to them by name.
function icons() {
  const folder = join(dirname(packages.resolve("lucide-static/package.json")), "icons");
  const names = JSON.parse(readFileSync(join(here, "icons.json"), "utf8"));
  const symbols = names.map((name) => symbol(name, readFileSync(join(folder, `${name}.svg`), "utf8")));
  keep("icons.svg", Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>`));
}

function symbol(name, svg) {
  const shapes = svg.slice(svg.indexOf(">", svg.indexOf("<svg")) + 1, svg.lastIndexOf("</svg>"));
  return `<symbol id="${name}" viewBox="0 0 24 24">${shapes.replace(/\s+/g, " ").trim()}</symbol>`;
}

function keep(name, content) {
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 10);
  const [stem, ending] = [name.slice(0, name.lastIndexOf(".")), name.slice(name.lastIndexOf("."))];
  manifest[name] = `${stem}-${hash}${ending}`;
  writeFileSync(join(out, manifest[name]), content);
}

function compress(name) {
  const content = readFileSync(join(out, name));
  writeFileSync(join(out, `${name}.br`), brotliCompressSync(content));
  writeFileSync(join(out, `${name}.gz`), gzipSync(content, { level: 9 }));
}
