"""From the Markdown of a play to speeches; each rule is tested on a few lines written for it."""

from charrnn.text.datasets.shakespeare import play_text, speeches

PLAY = r"""# Romeo and Juliet

## ACT II

### SCENE II. Capulet's orchard.

_Enter ROMEO, with a torch, in a very
long direction_

**ROMEO**
He jests at scars that never felt a wound.

_JULIET appears above at a window_

But, soft! what light through yonder window breaks?
It is the east, and Juliet is the sun.

**First Citizen**
_\[Aside]_
Ay me!

_Exeunt_
"""


def speech_list(markdown: str) -> list[tuple[str, list[str]]]:
    return list(speeches(markdown))


def test_play_text_has_the_form_of_tiny_shakespeare() -> None:
    assert play_text(PLAY) == (
        "ROMEO:\n"
        "He jests at scars that never felt a wound.\n"
        "But, soft! what light through yonder window breaks?\n"
        "It is the east, and Juliet is the sun.\n"
        "\n"
        "First Citizen:\n"
        "Ay me!\n"
    )


def test_play_text_without_speeches_is_empty() -> None:
    assert play_text("# Hamlet\n\n_Enter a ghost_\n") == ""


def test_speeches_contain_no_stage_directions() -> None:
    """Errors in the wheel itself: missing or doubled underscores, and a play that uses asterisks."""
    markdown = r"""**A**
_\[Aside]_
__\[Reads]_
[To B]_
*[Kneels.]*
one
_Burthen _\[within_
And either _\[ ]_
two
Enter FLAMINIUS.
*Enter King
Edward.*
"""
    assert speech_list(markdown) == [("A", ["one", "And either", "two"])]


def test_speeches_direction_ends_before_a_following_name() -> None:
    """The line after a direction was once added to the direction, so FABIAN's speech went to OLIVIA."""
    markdown = "**OLIVIA**\nRead it.\n\n_\\[To FABIAN]_  \n**FABIAN**  \n_\\[Reads]_  \nMadam\n"
    assert speech_list(markdown) == [("OLIVIA", ["Read it."]), ("FABIAN", ["Madam"])]


def test_speeches_of_directions_alone_are_left_out() -> None:
    assert speech_list("**A**\n_\\[Aside]_\n\n**B**\nyes\n\n**C**\n\n_Exit_\n") == [("B", ["yes"])]


def test_speeches_numbered_list_is_a_direction() -> None:
    markdown = "**A**\nHark!\n\n1\\. A flourish.\n2\\. Then, two\nJudges.\n\nSo.\n"
    assert speech_list(markdown) == [("A", ["Hark!", "So."])]


def test_speeches_escapes_and_entities_are_decoded() -> None:
    markdown = "**A**  \n\\--Ladies,'\\--or  two \nmine,' &amp; c.\nherself— \nnay — nay,—so  \n"
    assert speech_list(markdown) == [("A", ["--Ladies,'--or two", "mine,' &c.", "herself--", "nay--nay,--so"])]


def test_speeches_rare_punctuation_is_kept() -> None:
    lines = ['"Even thus," quoth she, $', "Item, Sack, 5s. 8d. (so)", "O,", "BERTRAM.", "'Twas I"]
    assert speech_list("**A**\n" + "  \n".join(lines)) == [("A", lines)]


def test_speeches_names_keep_case_and_lose_stray_signs() -> None:
    markdown = "**Second Lord**\na\n\n**ROSENCRANTZ: & GUILDENSTERN:**\nb\n\n**PAGE & & C**\nc\n"
    assert [name for name, _ in speech_list(markdown)] == [
        "Second Lord",
        "ROSENCRANTZ & GUILDENSTERN",
        "PAGE &C",
    ]


def test_speeches_names_inside_the_speech_before_are_found() -> None:
    markdown = """**TIMON**
What yours?
Lucilius' Servant Five thousand crowns.
Lord Chief-Justice What's he?
First Serving-man Content.
Senators, & C We'll surety him.
CASSIO: Good night.
"""
    assert speech_list(markdown) == [
        ("TIMON", ["What yours?"]),
        ("Lucilius' Servant", ["Five thousand crowns."]),
        ("Lord Chief-Justice", ["What's he?"]),
        ("First Serving-man", ["Content."]),
        ("Senators, &C", ["We'll surety him."]),
        ("CASSIO", ["Good night."]),
    ]


def test_speeches_serving_man_in_speech_is_not_a_name() -> None:
    lines = ["a withered", "serving-man a fresh tapster.", "Lord Timon is mad"]
    assert speech_list("**A**\n" + "\n".join(lines)) == [("A", lines)]


def test_speeches_split_names_are_joined() -> None:
    markdown = "**A**\none\nBISHOP\n\n**OF WINCHESTER**\ntwo\n\nVarro's\n\n**First Servant**\nthree\n"
    assert speech_list(markdown) == [
        ("A", ["one"]),
        ("BISHOP OF WINCHESTER", ["two"]),
        ("Varro's First Servant", ["three"]),
    ]


def test_speeches_page_titles_and_song_headings_are_left_out() -> None:
    markdown = "**A**\none\n\nLOVE'S LABOURS LOST\n\ntwo\nSONG.\nthree\nOF EPHESUS\n\n**B**\nfour\n"
    assert speech_list(markdown) == [("A", ["one", "two", "three"]), ("B", ["four"])]


def test_speeches_bold_speech_and_scenes_are_not_names() -> None:
    markdown = "**A**\none\n\n**Here stand I**\nlady\n\n**Scene III**\nA tavern.\n\n_Enter B_\n\n"
    assert speech_list(markdown + "**B**\ntwo\n") == [
        ("A", ["one", "Here stand I", "lady"]),
        ("B", ["two"]),
    ]


def test_speeches_heading_over_two_lines_is_left_out() -> None:
    assert speech_list("### SCENE II. The castle:\n\na light burning.\n\n_Enter A_\n") == []


def test_speeches_unnamed_speech_is_by_the_first_name_of_the_direction() -> None:
    assert speech_list("### SCENE I. A wood.\n\n_Enter TIMON, from the cave_\n\nO sun\n\n_March_\n\nHa!\n") == [
        ("TIMON", ["O sun", "Ha!"])
    ]
    assert speech_list("### SCENE I. A grange.\n\n_Boy sings_\n\nTake, O, take\n") == [("Boy", ["Take, O, take"])]


def test_speeches_unnamed_prologue_and_epilogue_are_speakers() -> None:
    markdown = "### Prologue\n\nI come\n\n## ACT I\n\n**A**\none\n\nEPILOGUE\n\nThus far\n"
    assert speech_list(markdown) == [("Prologue", ["I come"]), ("A", ["one"]), ("Epilogue", ["Thus far"])]
