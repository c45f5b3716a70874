import { readdirSync } from 'node:fs';

import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

/** All components, in an order that is the same in whatever folder the page is built. */
const COMPONENTS = readdirSync(new URL('src', import.meta.url), { recursive: true, encoding: 'utf8' })
  .map((file) => file.replaceAll('\\', '/'))
  .filter((file) => file.endsWith('.svelte'))
  .sort();

export default {
  preprocess: vitePreprocess({ script: false }),
  compilerOptions: {
    runes: true,
    discloseVersion: false,
    // What keeps the styles of a component to itself: short, for it stands beside many an element.
    cssHash: ({ filename }) => {
      const place = COMPONENTS.findIndex((file) => filename.replaceAll('\\', '/').endsWith(`src/${file}`));
      // What only looks at a style alone, as svelte-check does, names no file of ours.
      return place < 0 ? 's' : `s${place.toString(36)}`;
    },
  },
};
