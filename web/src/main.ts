import { mount } from 'svelte';

import App from './App.svelte';
import { look } from './lib/theme.svelte';

look.apply();
mount(App, { target: document.getElementById('app')! });

if (import.meta.env.PROD && 'serviceWorker' in navigator) {
  // Where Trusted Types are enforced, the address of a worker must come through a policy.
  const policy = (window as unknown as { trustedTypes?: { createPolicy: (name: string, rules: object) => { createScriptURL: (url: string) => string } } }).trustedTypes;
  const url = policy?.createPolicy('redraft', { createScriptURL: () => 'sw.js' }).createScriptURL('') ?? 'sw.js';
  void navigator.serviceWorker.register(url).catch(() => {});
}
