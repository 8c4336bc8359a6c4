"""The page's look: assets/colours.css and theme.css, and these for Gradio's own components.

The font comes with Gradio and is served from this machine.
"""

from __future__ import annotations

import gradio as gr
from gradio.themes.utils.fonts import LocalFont

from ui.inert import asset


class Theme(gr.themes.Base):
    """A theme with our style sheets in it."""

    def _get_theme_css(self) -> str:
        gradios: str = super()._get_theme_css()  # type: ignore[no-untyped-call]
        return f"{gradios}\n\n{asset('colours.css')}\n{asset('theme.css')}"


def theme() -> gr.themes.Base:
    """A calm theme: paper and ink, one accent; every value follows light or dark by itself.

    Weights 400 and 700 only: the SemiBold files that come with Gradio lack most letters.
    """
    return Theme(
        font=[LocalFont("IBM Plex Sans", weights=(400, 700)), "system-ui", "sans-serif"],
        font_mono=[LocalFont("IBM Plex Mono", weights=(400, 700)), "ui-monospace", "monospace"],
        radius_size=gr.themes.sizes.radius_md,
        text_size=gr.themes.sizes.text_md,
    ).set(
        body_background_fill="var(--rl-paper)",
        body_background_fill_dark="var(--rl-paper)",
        body_text_color="var(--rl-ink)",
        body_text_color_dark="var(--rl-ink)",
        body_text_color_subdued="var(--rl-soft)",
        body_text_color_subdued_dark="var(--rl-soft)",
        background_fill_primary="var(--rl-card)",
        background_fill_primary_dark="var(--rl-card)",
        background_fill_secondary="var(--rl-paper)",
        background_fill_secondary_dark="var(--rl-paper)",
        border_color_primary="var(--rl-line)",
        border_color_primary_dark="var(--rl-line)",
        border_color_accent="var(--rl-accent)",
        border_color_accent_dark="var(--rl-accent)",
        color_accent="var(--rl-accent)",
        color_accent_soft="var(--rl-wash)",
        color_accent_soft_dark="var(--rl-wash)",
        block_background_fill="var(--rl-card)",
        block_background_fill_dark="var(--rl-card)",
        block_border_color="var(--rl-line)",
        block_border_color_dark="var(--rl-line)",
        block_label_text_color="var(--rl-soft)",
        block_label_text_color_dark="var(--rl-soft)",
        block_title_text_color="var(--rl-soft)",
        block_title_text_color_dark="var(--rl-soft)",
        block_shadow="none",
        block_shadow_dark="none",
        input_background_fill="var(--rl-card)",
        input_background_fill_dark="var(--rl-card)",
        input_border_color="var(--rl-edge)",
        input_border_color_dark="var(--rl-edge)",
        input_border_color_focus="var(--rl-accent)",
        input_border_color_focus_dark="var(--rl-accent)",
        input_border_width="1px",
        input_placeholder_color="var(--rl-soft)",
        input_placeholder_color_dark="var(--rl-soft)",
        slider_color="var(--rl-accent)",
        slider_color_dark="var(--rl-accent)",
        button_primary_background_fill="var(--rl-accent)",
        button_primary_background_fill_dark="var(--rl-accent)",
        button_primary_background_fill_hover="var(--rl-accent-strong)",
        button_primary_background_fill_hover_dark="var(--rl-accent-strong)",
        button_primary_border_color="var(--rl-accent)",
        button_primary_border_color_dark="var(--rl-accent)",
        button_primary_border_color_hover="var(--rl-accent-strong)",
        button_primary_border_color_hover_dark="var(--rl-accent-strong)",
        button_large_text_size="15px",
        button_large_padding="8px 16px",
        button_primary_text_color="var(--rl-on-accent)",
        button_primary_text_color_dark="var(--rl-on-accent)",
        button_secondary_background_fill="var(--rl-card)",
        button_secondary_background_fill_dark="var(--rl-card)",
        button_secondary_background_fill_hover="var(--rl-wash)",
        button_secondary_background_fill_hover_dark="var(--rl-wash)",
        button_secondary_text_color="var(--rl-ink)",
        button_secondary_text_color_dark="var(--rl-ink)",
        button_secondary_border_color="var(--rl-edge)",
        button_secondary_border_color_dark="var(--rl-edge)",
        button_border_width="1px",
        button_transition="none",
    )
