import { createHash } from 'node:crypto';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig, type Plugin } from 'vite';

/** Writes into sw.js which files the page consists of, under a name that changes when any of them does. */
function precache(): Plugin {
  return {
    name: 'redraft-precache',
    enforce: 'post',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        const worker = bundle['sw.js'];
        if (worker?.type !== 'chunk') throw new Error('the service worker was not built');
        const names = Object.keys(bundle)
          .filter((name) => name !== 'sw.js' && name !== 'index.html')
          .sort();
        const hash = createHash('sha256');
        for (const name of [...names, 'index.html']) {
          const item = bundle[name];
          if (item) hash.update(name).update(item.type === 'chunk' ? item.code : item.source);
        }
        const files = ['./', 'manifest.webmanifest', 'icon.svg', ...names];
        worker.code = worker.code
          .replace('__FILES__', JSON.stringify(files))
          .replace('__VERSION__', JSON.stringify(hash.digest('hex').slice(0, 12)));
      },
    },
  };
}

/** What this page never does, said so that its part of Svelte is left out: the markup is never made by a server. */
const NEVER = ['hydrating', 'async_mode_flag', 'legacy_mode_flag', 'tracing_mode_flag'];

/** State is replaced here, never changed in place (`$state.raw`): what would watch for that is left out as well. */
const IN_PLACE = 'should_proxy ? proxy(value) : value';

/** Makes a constant of each switch in NEVER, which Svelte declares as a variable that only its own setter changes. */
function settled(): Plugin {
  return {
    name: 'redraft-settled',
    apply: 'build',
    transform(code, id) {
      if (id.endsWith('svelte/src/internal/client/reactivity/sources.js')) {
        if (!code.includes(IN_PLACE)) throw new Error(`${id}: no ${IN_PLACE} is here; see what this Svelte does`);
        return code.replace(IN_PLACE, 'value');
      }
      if (!/svelte\/src\/internal\/(flags\/index|client\/dom\/hydration)\.js/.test(id)) return null;
      const said = NEVER.filter((name) => code.includes(`export let ${name} = false;`));
      if (said.length === 0) throw new Error(`${id}: none of ${NEVER.join(', ')} is declared here; see what this Svelte does`);
      return said.reduce(
        (text, name) => text.replace(`export let ${name} =`, `export const ${name} =`).replace(new RegExp(`\\b${name} = (true|false|value);\\n\\}`, 'g'), '}'),
        code,
      );
    },
  };
}

/** A template as Svelte's compiler writes it, one to a line. */
const TEMPLATE = /^var [\w$]+ = from_html\(`.*\);\n/gm;

function byMarkup(one: string, other: string): number {
  const [first, second] = [one, other].map((line) => line.slice(line.indexOf('`'))) as [string, string];
  return first < second ? -1 : 1;
}

/** Puts the markup of all components together, behind the code of the components, in order: like beside like packs better. */
function gathered(): Plugin {
  return {
    name: 'redraft-gathered',
    apply: 'build',
    renderChunk(code) {
      const templates = code.match(TEMPLATE);
      if (!templates) return null;
      if (code.includes('function proxy(')) throw new Error('a state is an object or a list that is changed in place: make it $state.raw and replace it');
      const end = code.indexOf('// src/main.ts');
      if (end < 0) throw new Error('the chunk names no src/main.ts, before which the markup goes; see what this bundler does');
      return { code: code.slice(0, end).replace(TEMPLATE, '') + templates.sort(byMarkup).join('') + code.slice(end), map: null };
    },
  };
}

/** The server that `npm run dev` speaks with: a studio started beside it. */
const SERVER = 'http://127.0.0.1:8188';

export default defineConfig({
  base: './',
  plugins: [settled(), svelte(), gathered(), precache()],
  build: {
    outDir: '../src/redraft/studio/static',
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    assetsInlineLimit: 0,
    rollupOptions: {
      // Svelte's parts do nothing by being loaded; what is not used of them is left out.
      treeshake: { moduleSideEffects: (id) => !id.includes('/node_modules/svelte/') },
      input: { index: 'index.html', sw: 'src/sw.ts' },
      output: {
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  server: { proxy: { '/api': SERVER, '/v1': SERVER, '/openapi.json': SERVER } },
  test: { include: ['tests/**/*.test.ts'] },
} as Parameters<typeof defineConfig>[0]);
