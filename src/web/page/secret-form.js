// A form with a password. It shows why an action is refused, and keeps no password once it is closed. Password managers can fill it: it is
// a real form, whose fields say what they are for.

export class SecretForm {
  #form;
  #submit;
  #error;
  #button;
  #show;

  /**
   * `submit(fields)` gets what the user has typed, by the names of the fields: texts, and whether boxes are checked. `problemOf(fields)`
   * returns why the form cannot be submitted, as `{ text, name }` with the name of the field, or null.
   */
  constructor(form, submit, problemOf = () => null) {
    this.#form = form;
    this.#submit = submit;
    this.#error = form.querySelector('[role="alert"]');
    this.#button = form.querySelector('button.main:not([type])');
    this.#show = form.querySelector('[name="show"]');
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const { fields } = this;
      const problem = problemOf(fields);
      if (problem) return this.refuse(problem.text, problem.name);
      this.#explain('');
      this.#button.disabled = true;
      submit(fields);
    });
    form.addEventListener('input', () => this.#explain(''));
    this.#show?.addEventListener('change', () => this.#showPasswords());
  }

  /** What the user has typed. A hidden field is empty. */
  get fields() {
    const fields = [...this.#form.elements].filter(({ name }) => name);
    return Object.fromEntries(fields.map((field) => [field.name, field.type === 'checkbox' ? field.checked : textOf(field)]));
  }

  /** Fills fields, by their names; the others become empty. */
  fill(values = {}) {
    this.#form.reset();
    for (const [name, value] of Object.entries(values)) this.#form.elements[name].value = value;
    this.#showPasswords();
    this.wait('');
  }

  /** Moves the focus to the first field that needs an input, or to the one of this name. */
  focus(name) {
    const fields = [...this.#form.elements].filter((field) => field.localName === 'input' && !field.readOnly && field.checkVisibility());
    const field = this.#form.elements[name] ?? fields.find(({ value }) => !value) ?? fields[0];
    field?.focus();
    field?.select();
  }

  /** Shows a text, and lets the user submit the form again. */
  wait(text) {
    this.#explain(text);
    this.enable();
  }

  enable() {
    this.#button.disabled = false;
  }

  /** Shows why the action was refused. */
  refuse(text, name) {
    this.wait(text);
    const passwords = [...this.#form.elements].filter(({ autocomplete }) => /-password$/.test(autocomplete));
    this.focus(name ?? passwords[0]?.name);
  }

  #explain(text) {
    this.#error.textContent = text;
    for (const field of this.#form.elements) if (field.localName === 'input') field.setAttribute('aria-invalid', text !== '');
  }

  #showPasswords() {
    for (const field of this.#form.elements) {
      if (/-password$/.test(field.autocomplete)) field.type = this.#show?.checked ? 'text' : 'password';
    }
  }
}

function textOf(field) {
  return field.checkVisibility() || field.readOnly ? field.value : '';
}
