// Fits the page into the visible viewport: on iOS, the keyboard covers the page instead of making it smaller.

export function followViewport(root = document.documentElement) {
  const viewport = globalThis.visualViewport;
  if (!viewport) return;
  const fit = () => {
    // Zooming in makes the viewport smaller, but should not make the page smaller.
    const height = viewport.height * viewport.scale;
    const isCovered = height < innerHeight - 1;
    root.style.setProperty('--viewport-height', isCovered ? `${Math.round(height)}px` : '100dvh');
    root.style.setProperty('--viewport-top', isCovered ? `${Math.round(viewport.offsetTop)}px` : '0px');
  };
  for (const change of ['resize', 'scroll']) viewport.addEventListener(change, fit);
  fit();
}
