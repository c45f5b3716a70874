import { vitePreprocess } from '@sveltejs/vite-plugin-svelte';

export default {
  preprocess: vitePreprocess({ script: false }),
  compilerOptions: {
    runes: true,
    discloseVersion: false,
    // By the style's content: the page is the same in whatever folder it is built.
    cssHash: ({ hash, css }) => `s${hash(css).slice(0, 3)}`,
  },
};
