// Copies a selection of several entries as one line of text for each: `19:34 bob: text`. A selection within one message is copied
// unchanged.

/** `lineOf(node, said)` returns the line for a child of the panel, or null to skip it; `said` is the selected part of its text. */
export function copyAsLines(panel, lineOf) {
  document.addEventListener('copy', (event) => {
    const selection = getSelection();
    if (event.target.closest?.('input, textarea') || !selection.rangeCount || selection.isCollapsed) return;
    const range = selection.getRangeAt(0);
    if (!range.intersectsNode(panel) || isWithinOneText(range)) return;
    event.clipboardData.setData('text/plain', linesOf(panel, range, lineOf).join('\n'));
    event.preventDefault();
  });
}

function isWithinOneText({ commonAncestorContainer: node }) {
  return (node.nodeType === Node.TEXT_NODE ? node.parentElement : node).closest('.said') !== null;
}

function linesOf(panel, range, lineOf) {
  const lines = [];
  for (const node of panel.children) {
    if (!range.intersectsNode(node)) continue;
    const said = selectedIn(range, node.querySelector('.said') ?? node);
    if (said.trim()) lines.push(lineOf(node, said));
  }
  return lines.filter((line) => line !== null);
}

/** The part of a node's text within the range. */
function selectedIn(range, node) {
  const part = document.createRange();
  part.selectNodeContents(node);
  if (range.compareBoundaryPoints(Range.START_TO_START, part) > 0) part.setStart(range.startContainer, range.startOffset);
  if (range.compareBoundaryPoints(Range.END_TO_END, part) < 0) part.setEnd(range.endContainer, range.endOffset);
  return part.toString();
}
